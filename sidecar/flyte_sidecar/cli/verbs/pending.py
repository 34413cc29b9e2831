"""`flyte-sidecar pending`: list the pending events of all runs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.arguments.values import add_json
from flyte_sidecar.cli.event_filter import EventFilter, add_filters
from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.cli.listings import pages_of_pending, report_missing
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.events.model import BACKEND_TITLES, BackendName, UnavailableBackend
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options

ALL = EventFilter()


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options."""
    add_filters(parser)
    add_json(parser, "event per line")


def run(options: Options, as_json: bool, **wanted: Any) -> int:
    """Print the pending events of the backends that can be read; return the exit status.

    Parameters
    ----------
    wanted
        The members of the filter of events.

    Raises
    ------
    SidecarError
        If the events cannot be listed.
    OSError
        If stdout cannot be written.
    """

    async def work(service: EventService) -> int:
        await print_pending(service, as_json, wanted=EventFilter(**wanted))
        return 0

    return run_on_events(options, work)


async def print_pending(
    service: EventService,
    as_json: bool,
    missing: Iterable[BackendName] = (),
    wanted: EventFilter = ALL,
) -> None:
    """Print the pending events; raises as `pending`.

    Parameters
    ----------
    missing
        The backends whose events are known to be missing.
    wanted
        The events to print.
    """
    now = datetime.now(UTC)
    table = EventTable(several_projects=service.backend.kind == "all")
    unavailable: list[UnavailableBackend] = []
    is_empty = True
    async for page in pages_of_pending(service):
        more = page.next_cursor is not None
        events = [event for event in page.events if wanted.matches(event, now)]
        is_empty = is_empty and not events
        if as_json:
            print_json(*events)
        else:
            print_lines(table.lines(events, more=more))
        new = [each for each in page.unavailable if each.backend not in _names(unavailable)]
        unavailable = page.unavailable
        if more:
            report_missing("events", new, so_far=True)
    if is_empty and not as_json:
        text = _nothing({*missing, *_names(unavailable)}, some=wanted.excludes_any)
        print(text, file=sys.stderr)
    report_missing("events", unavailable)


def _names(unavailable: Sequence[UnavailableBackend]) -> set[BackendName]:
    return {each.backend for each in unavailable}


def _nothing(missing: Collection[BackendName], *, some: bool) -> str:
    """Return that nothing is pending, with the backends for which that is known.

    Parameters
    ----------
    some
        Whether only some events are wanted.
    """
    read = [title for name, title in BACKEND_TITLES.items() if name not in missing]
    text = f"No pending events of {' and '.join(read)}" if missing else "No pending events"
    return f"{text} match." if some else f"{text}."
