"""`flyte-sidecar pending`: list the pending events of all runs."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli import logs, standard_streams, terminal
from flyte_sidecar.cli.arguments.values import add_json
from flyte_sidecar.cli.event_filter import EventFilter, add_filters
from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.cli.missing import report_missing
from flyte_sidecar.cli.opened import opened
from flyte_sidecar.cli.page_limits import page_limit
from flyte_sidecar.events.model import (
    BACKEND_TITLES,
    BackendName,
    EventPage,
    PendingQuery,
    UnavailableBackend,
)
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.results import encode
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
    logs.set_up(options.log_level, options.log_file)
    standard_streams.require_stdout()
    asyncio.run(print_pending(options, as_json, wanted=EventFilter(**wanted)))
    return 0


async def print_pending(
    options: Options,
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
    table = EventTable(several_projects=options.backend == "all")
    unavailable: list[UnavailableBackend] = []
    is_empty = True
    async with opened(options) as service:
        async for page in pages(service):
            more = page.next_cursor is not None
            events = [event for event in page.events if wanted.matches(event, now)]
            is_empty = is_empty and not events
            if as_json:
                _write(terminal.sanitize_json(encode(event)) + b"\n" for event in events)
            else:
                _write(map(terminal.line, table.lines(events, more=more)))
            new = [each for each in page.unavailable if each.backend not in _names(unavailable)]
            unavailable = page.unavailable
            if more:
                report_missing("events", new, so_far=True)
    if is_empty and not as_json:
        text = _nothing({*missing, *_names(unavailable)}, some=wanted.excludes_any)
        _write([terminal.line(text)])
    report_missing("events", unavailable)


async def pages(service: EventService) -> AsyncIterator[EventPage]:
    """Yield the pending events of all runs of the default scope, page by page."""
    query = PendingQuery(
        scope=service.scope(None, None, None), limit=page_limit(service, None), cursor=None
    )
    while True:
        page = await resolve(service.pending(query))
        yield page
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor, limit=page_limit(service, page))


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


def _write(lines: Iterable[bytes]) -> None:
    sys.stdout.buffer.write(b"".join(lines))
    sys.stdout.buffer.flush()
