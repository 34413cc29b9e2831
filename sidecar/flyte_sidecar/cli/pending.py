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
    if as_json:
        async for events in _pages(options):
            _write(terminal.sanitize_json(encode(event)) + b"\n" for event in events)
        return
    table = EventTable()
    async for events in _pages(options):
        table.add(events)
    _write(map(terminal.line, table.lines()))


def _write(lines: Iterable[bytes]) -> None:
    sys.stdout.buffer.write(b"".join(lines))


async def _pages(options: Options) -> AsyncIterator[list[Event]]:
    backend = make_backend(options, TerminalPrompt)
    service = EventService(backend)
    scope, cursor = service.scope(None, None, None), None
    try:
        while True:
            query = PendingQuery(scope=scope, limit=MAX_PAGE_LIMIT, cursor=cursor)
            page = await resolve(service.pending(query))
            yield page.events
            cursor = page.next_cursor
            if cursor is None:
                return
    finally:
        await backend.close()
