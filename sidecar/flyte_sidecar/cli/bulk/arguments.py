"""The options of verbs that change many events, and the choice of events that they are."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.event_filter import EventFilter, add_filters

WITHOUT_RUN = "required without --all"
"""The help of RUN."""

WITH_ALL = "; with --all, one result per line"
"""The help of `--json`."""


class Choice(EventFilter, frozen=True, kw_only=True):
    """The pending events to change.

    Attributes
    ----------
    yes
        Whether a person has confirmed the change already.
    dry_run
        Whether to list the events instead.
    """

    yes: bool
    dry_run: bool


def add_choice(parser: ArgumentParser) -> None:
    """Add the option `--all` and those that need it."""
    parser.add_argument(
        "--all",
        dest="every",
        action="store_true",
        help="all pending events that match; they are shown, and you are asked to confirm",
    )
    add_filters(parser, "with --all: ")
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
