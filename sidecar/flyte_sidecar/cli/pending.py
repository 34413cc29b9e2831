"""`flyte-sidecar pending`: list the pending events of all runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli import logs, standard_streams, terminal
from flyte_sidecar.cli.terminal_prompt import TerminalPrompt
from flyte_sidecar.events.model import MAX_PAGE_LIMIT, Event, PendingQuery
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.server.settings import Options, make_backend

HEADERS = ("RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT")
RUN, NAME, PROMPT = 0, 1, 5

MIN_WIDTH = 5
"""The minimum width of a truncated cell, in columns; the table then fits into 40 columns."""

GAP = "  "

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


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
    now, width = datetime.now(UTC), terminal.columns()
    rows = [_row(event, now, width) async for events in _pages(options) for event in events]
    _write(map(terminal.line, _table(rows, width) if rows else ["No pending events."]))


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


def _row(event: Event, now: datetime, width: int | None) -> list[str]:
    age = "?" if event.created_at is None else _duration((now - event.created_at).total_seconds())
    expires = "never"
    if event.expires_at is not None:
        expires = f"in {_duration((event.expires_at - now).total_seconds())}"
    cells = [event.run_name, event.name, event.expected_type or "?", age, expires]
    row = [sanitize(cell) for cell in (*cells, event.prompt or "")]
    return row if width is None else [terminal.truncate(cell, width) for cell in row]


def _duration(seconds: float) -> str:
    """Return a duration in its largest unit; 0 if it is negative because of clock skew."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "0s"


def _table(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    paint = terminal.painter()
    widths = [max(map(terminal.width, cells)) for cells in zip(HEADERS, *rows, strict=True)]
    if width is not None:
        _shrink(widths, width - len(GAP) * (len(HEADERS) - 1))
    table = []
    for row in (HEADERS, *rows):
        cells = [
            terminal.pad(terminal.truncate(cell, columns), columns)
            for cell, columns in zip(row, widths, strict=True)
        ]
        cells[PROMPT] = cells[PROMPT].rstrip()
        if row is HEADERS:
            cells = [paint(cell, terminal.DIM) for cell in cells]
        else:
            cells[NAME] = paint(cells[NAME], terminal.BOLD)
        table.append(GAP.join(cells).rstrip())
    return table


def _shrink(widths: list[int], total: int) -> None:
    """Shrink the prompt, then the wider of run and name, until the widths fit into the total.

    An event is answered by its name, which therefore matters more than the end of its prompt.
    """
    for shrinkable in ((PROMPT,), (RUN, NAME)):
        while sum(widths) > total:
            widest = max(shrinkable, key=lambda column: widths[column])
            if widths[widest] <= MIN_WIDTH:
                break
            widths[widest] -= 1
