"""The options of verbs that change many events, and the choice of events that they are."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from flyte_sidecar.cli.arguments.values import UsageError, duration, text
from flyte_sidecar.events.model import Event

WITHOUT_RUN = "required without --all"
"""The help of RUN."""


class Choice(Struct, frozen=True):
    """The pending events to change.

    Attributes
    ----------
    run_glob, name_glob
        Patterns of the names of the run and of the event, of which case matters; None for any.
    older_than
        For how long they must exist, in seconds; None for any time.
    yes
        Whether a person has confirmed the change already.
    dry_run
        Whether to list the events instead.
    """

    run_glob: str | None
    name_glob: str | None
    older_than: float | None
    yes: bool
    dry_run: bool

    def matches(self, event: Event, now: datetime) -> bool:
        """Return whether an event is among them. An event of unknown age is not old."""
        if self.older_than is not None:
            created = event.created_at
            if created is None or now - created < timedelta(seconds=self.older_than):
                return False
        names = ((event.run_name, self.run_glob), (event.name, self.name_glob))
        return all(pattern is None or fnmatchcase(name, pattern) for name, pattern in names)


def add_choice(parser: ArgumentParser) -> None:
    """Add the option `--all` and those that need it."""
    parser.add_argument(
        "--all",
        dest="every",
        action="store_true",
        help="all pending events that match; they are shown, and you are asked to confirm",
    )
    parser.add_argument(
        "--run",
        dest="run_glob",
        metavar="GLOB",
        type=text,
        help="with --all: only of such runs (default: any)",
    )
    parser.add_argument(
        "--name",
        dest="name_glob",
        metavar="GLOB",
        type=text,
        help="with --all: only of such names (default: any)",
    )
    parser.add_argument(
        "--older-than",
        metavar="DURATION",
        type=duration,
        help="with --all: only events that were created so long ago, such as 1h (default: any)",
    )
    parser.add_argument(
        "--yes", action="store_true", help="with --all: do not ask for confirmation"
    )
    parser.add_argument("--dry-run", action="store_true", help="with --all: only list the events")


def choice_of(
    run: str | None, name: str | None, action: str | None, *, every: bool, **options: Any
) -> Choice | None:
    """Return the choice of events of the arguments; None without `--all`.

    Parameters
    ----------
    run, name, action
        What selects a single event.

    Raises
    ------
    UsageError
        If the arguments contradict each other, or select no event.
    """
    if every:
        for argument, given in {"RUN": run, "NAME": name, "--action": action}.items():
            if given is not None:
                raise UsageError(f"--all cannot be combined with {argument}")
        return Choice(**options)
    for option, given in options.items():
        if given not in (None, False):
            raise UsageError(f"--{option.removesuffix('_glob').replace('_', '-')} requires --all")
    if run is None:
        raise UsageError("either RUN or --all is required")
    return None
