"""`flyte-sidecar pending`: list the pending events of all runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli import logs, standard_streams, terminal
from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.cli.terminal_prompt import TerminalPrompt
from flyte_sidecar.events.model import MAX_PAGE_LIMIT, Event, PendingQuery
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.server.settings import Options, make_backend


def pending(options: Options, as_json: bool) -> int:
    """Print the pending events and return the exit status.

    Raises
    ------
    SidecarError
        If the events cannot be listed.
    OSError
        If stdout cannot be written.
    """
    logs.set_up(options.log_level, options.log_file)
    standard_streams.require_stdout()
    asyncio.run(_print(options, as_json))
    return 0


async def _print(options: Options, as_json: bool) -> None:
    backend = make_backend(options, TerminalPrompt)
    table = EventTable()
    try:
        async for events in pages(EventService(backend)):
            if as_json:
                print_json(events)
            else:
                table.add(events)
    finally:
        await backend.close()
    if not as_json:
        print_table(table)


async def pages(service: EventService) -> AsyncIterator[list[Event]]:
    """Yield the pending events of all runs of the default scope, page by page."""
    scope, cursor = service.scope(None, None, None), None
    while True:
        query = PendingQuery(scope=scope, limit=MAX_PAGE_LIMIT, cursor=cursor)
        page = await resolve(service.pending(query))
        yield page.events
        cursor = page.next_cursor
        if cursor is None:
            return


def print_json(events: Iterable[Event]) -> None:
    """Print one event per line."""
    _write(terminal.sanitize_json(encode(event)) + b"\n" for event in events)


def print_table(table: EventTable) -> None:
    """Print the table."""
    _write(map(terminal.line, table.lines()))


def _write(lines: Iterable[bytes]) -> None:
    sys.stdout.buffer.write(b"".join(lines))
