"""Patterns and ages by which pending events are selected."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from flyte_sidecar.cli.arguments.values import duration, text
from flyte_sidecar.events.model import Event

if TYPE_CHECKING:
    from argparse import _ActionsContainer


class EventFilter(Struct, frozen=True):
    """The pending events that are meant.

    Attributes
    ----------
    run_glob, name_glob
        Patterns of the names of the run and of the event, of which case matters; None for any.
    older_than
        For how long they must exist, in seconds; None for any time.
    """

    run_glob: str | None = None
    name_glob: str | None = None
    older_than: float | None = None

    @property
    def excludes_any(self) -> bool:
        """Whether there are events that do not match."""
        return self != type(self)()

    def matches(self, event: Event, now: datetime) -> bool:
        """Return whether an event is among them. An event of unknown age is not old."""
        if self.older_than is not None:
            created = event.created_at
            if created is None or now - created < timedelta(seconds=self.older_than):
                return False
        names = ((event.run_name, self.run_glob), (event.name, self.name_glob))
        return all(pattern is None or fnmatchcase(name, pattern) for name, pattern in names)


def add_filters(parser: ArgumentParser, condition: str = "") -> None:
    """Add the options of an `EventFilter`; `condition` precedes their help."""
    add_globs(parser, condition)
    parser.add_argument(
        "--older-than",
        metavar="DURATION",
        type=duration,
        help=f"{condition}only events created at least this long ago, such as 1h (default: all)",
    )


def add_globs(parser: _ActionsContainer, condition: str = "") -> None:
    """Add only the options for names, to a parser or to a group of options."""
    for name, what in (("run", "of runs whose name"), ("name", "whose name")):
        parser.add_argument(
            f"--{name}",
            dest=f"{name}_glob",
            metavar="GLOB",
            type=text,
            help=f"{condition}only events {what} matches, such as 'train-*' (default: all)",
        )
