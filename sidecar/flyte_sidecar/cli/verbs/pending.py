"""`flyte-sidecar pending`: list the pending events of all runs."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Collection, Iterable

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli import logs, standard_streams, terminal
from flyte_sidecar.cli.arguments.values import add_json
from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.cli.terminal_login_prompt import TerminalLoginPrompt
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import (
    BACKEND_TITLES,
    MAX_PAGE_LIMIT,
    BackendName,
    EventPage,
    PendingQuery,
)
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.server.settings import Options, make_backend


def add_arguments(parser: ArgumentParser) -> None:
    """Add the option."""
    add_json(parser, "event per line")


def run(options: Options, as_json: bool) -> int:
    """Print the pending events of the backends that can be read; return the exit status.

    Raises
    ------
    SidecarError
        If the events cannot be listed.
    OSError
        If stdout cannot be written.
    """
    logs.set_up(options.log_level, options.log_file)
    standard_streams.require_stdout()
    asyncio.run(print_pending(options, as_json))
    return 0


async def print_pending(
    options: Options, as_json: bool, missing: Iterable[BackendName] = ()
) -> None:
    """Print the pending events; raises as `pending`.

    Parameters
    ----------
    missing
        The backends whose events are known to be missing.
    """
    backend = make_backend(options, TerminalLoginPrompt)
    table = EventTable()
    unavailable: dict[BackendName, SidecarError] = {}
    try:
        async for page in pages(EventService(backend)):
            unavailable |= {each.backend: each.error for each in page.unavailable}
            if as_json:
                _write(terminal.sanitize_json(encode(event)) + b"\n" for event in page.events)
            else:
                table.add(page.events)
    finally:
        await backend.close()
    if not as_json:
        _write(map(terminal.line, table.lines() or [_nothing({*missing, *unavailable})]))
    for name, error in unavailable.items():
        title = BACKEND_TITLES[name]
        message = f"the events of {title} are missing: {error.kind}: {error.message}"
        print(f"flyte-sidecar: {sanitize(message)}", file=sys.stderr)


async def pages(service: EventService) -> AsyncIterator[EventPage]:
    """Yield the pending events of all runs of the default scope, page by page."""
    scope, cursor = service.scope(None, None, None), None
    while True:
        query = PendingQuery(scope=scope, limit=MAX_PAGE_LIMIT, cursor=cursor)
        page = await resolve(service.pending(query))
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


def _nothing(missing: Collection[BackendName]) -> str:
    """Return that nothing is pending, with the backends for which that is known."""
    read = [title for name, title in BACKEND_TITLES.items() if name not in missing]
    return f"No pending events of {' and '.join(read)}." if missing else "No pending events."


def _write(lines: Iterable[bytes]) -> None:
    sys.stdout.buffer.write(b"".join(lines))
