"""The table of pending events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from flyte_sidecar.cli import terminal
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.plain_text import sanitize

HEADERS = ("RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT")
RUN, NAME, PROMPT = 0, 1, 5

MIN_WIDTH = 5
"""The minimum width of a truncated cell, in columns; the table then fits into 40 columns."""

GAP = "  "

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


class EventTable:
    """A table of pending events that fits the terminal at stdout.

    Until it is printed, it keeps the text of its cells, and not the events.
    """

    def __init__(self) -> None:
        self._now, self._width = datetime.now(UTC), terminal.columns()
        self._rows: list[list[str]] = []

    def add(self, events: Iterable[Event]) -> None:
        """Append the events."""
        self._rows += [_row(event, self._now, self._width) for event in events]

    def lines(self) -> list[str]:
        """Return the lines of the table, or a sentence if there are no events."""
        return _table(self._rows, self._width) if self._rows else ["No pending events."]


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
