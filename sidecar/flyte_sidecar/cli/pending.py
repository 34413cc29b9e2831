"""What waits for an answer, as a table: `flyte-sidecar pending [--json]`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli import standard_streams, terminal
from flyte_sidecar.events.model import Event, PendingQuery
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.server.settings import Options, make_backend

PAGE = 1000
"""Events asked for at once."""

HEADS = ("RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT")
RUN, NAME, PROMPT = 0, 1, 5

LEAST = 5
"""Columns that are left of what is cut so that a row fits into the terminal: 40 are enough."""

GAP = "  "

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def pending(options: Options, as_json: bool) -> int:
    """Print the events that wait for an answer; gives the exit status.

    Raises
    ------
    SidecarError
        If they cannot be listed.
    OSError
        If nobody reads stdout, or it cannot be written.
    """
    standard_streams.require_stdout()
    asyncio.run(_print(options, as_json))
    return 0


async def _print(options: Options, as_json: bool) -> None:
    if as_json:
        async for events in _pages(options):
            _write(terminal.sanitize_json(encode(event)) + b"\n" for event in events)
        return
    now, room = datetime.now(UTC), terminal.columns()
    rows = [_row(event, now, room) async for events in _pages(options) for event in events]
    _write(map(terminal.line, _table(rows, room) if rows else ["Nothing is pending."]))


def _write(lines: Iterable[bytes]) -> None:
    sys.stdout.buffer.write(b"".join(lines))


async def _pages(options: Options) -> AsyncIterator[list[Event]]:
    backend = make_backend(options)
    service = EventService(backend)
    scope, cursor = service.scope(None, None, None), None
    try:
        while True:
            query = PendingQuery(scope=scope, limit=PAGE, cursor=cursor)
            page = await resolve(service.pending(query))
            yield page.events
            cursor = page.next_cursor
            if cursor is None:
                return
    finally:
        await backend.close()


def _row(event: Event, now: datetime, room: int | None) -> list[str]:
    age = "?" if event.created_at is None else _span((now - event.created_at).total_seconds())
    expires = "never"
    if event.expires_at is not None:
        expires = f"in {_span((event.expires_at - now).total_seconds())}"
    words = [event.run_name, event.name, event.expected_type or "?", age, expires]
    row = [terminal.sanitize(cell) for cell in (*words, event.prompt or "")]
    return row if room is None else [terminal.cut(cell, room) for cell in row]


def _span(seconds: float) -> str:
    """Give a time in its largest unit; clocks that differ make none negative."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "0s"


def _table(rows: Sequence[Sequence[str]], room: int | None) -> list[str]:
    paint = terminal.painter()
    columns = zip(HEADS, *rows, strict=True)
    widths = [max(map(terminal.width, column)) for column in columns]
    if room is not None:
        _squeeze(widths, room - len(GAP) * (len(HEADS) - 1))
    table = []
    for row in (HEADS, *rows):
        cells = [
            terminal.pad(terminal.cut(cell, width), width)
            for cell, width in zip(row, widths, strict=True)
        ]
        cells[PROMPT] = cells[PROMPT].rstrip()
        if row is HEADS:
            cells = [paint(cell, terminal.DIM) for cell in cells]
        else:
            cells[NAME] = paint(cells[NAME], terminal.BOLD)
        table.append(GAP.join(cells).rstrip())
    return table


def _squeeze(widths: list[int], room: int) -> None:
    """Take columns from the prompt, and only then from the wider of run and name.

    An event is answered by its name, so that is worth more than the end of a prompt.
    """
    for some in ((PROMPT,), (RUN, NAME)):
        while sum(widths) > room:
            widest = max(some, key=lambda column: widths[column])
            if widths[widest] <= LEAST:
                break
            widths[widest] -= 1
