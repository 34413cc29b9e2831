"""The table of pending events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from flyte_sidecar.cli import terminal
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.plain_text import sanitize

PROJECT, RUN, NAME, PROMPT = "PROJECT", "RUN", "NAME", "PROMPT"
HEADERS = (PROJECT, RUN, NAME, "TYPE", "AGE", "EXPIRES", PROMPT)

SHRINKABLE = (PROJECT, RUN, NAME, PROMPT)

MIN_WIDTH = 5
"""The minimum width of a truncated cell, in columns; the table then fits into 40 columns."""

GAP = "  "

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


class EventTable:
    """A table of pending events that fits the terminal at stdout.

    It has a column for the project only if the events are of several projects.

    Until it is printed, it keeps the text of its cells, and not the events.
    """

    def __init__(self) -> None:
        self._now, self._width = datetime.now(UTC), terminal.columns()
        self._rows: list[list[str]] = []

    def add(self, events: Iterable[Event]) -> None:
        """Append the events."""
        self._rows += [_row(event, self._now, self._width) for event in events]

    def lines(self) -> list[str]:
        """Return the lines of the table; none if there are no events."""
        return _table(self._rows, self._width) if self._rows else []


def _row(event: Event, now: datetime, width: int | None) -> list[str]:
    age = "?" if event.created_at is None else _duration((now - event.created_at).total_seconds())
    expires = "never"
    if event.expires_at is not None:
        expires = f"in {_duration((event.expires_at - now).total_seconds())}"
    cells = [
        event.project or "?",
        event.run_name,
        event.name,
        event.expected_type or "?",
        age,
        expires,
    ]
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
    columns = dict(zip(HEADERS, zip(*rows, strict=True), strict=True))
    if len({*columns[PROJECT]}) == 1:
        del columns[PROJECT]
    widths = {name: max(map(terminal.width, (name, *cells))) for name, cells in columns.items()}
    if width is not None:
        _shrink(widths, width)
    shown = [columns[name] for name in widths]
    table: list[str] = []
    for row in ([*widths], *zip(*shown, strict=True)):
        cells = {
            name: terminal.pad(terminal.truncate(cell, widths[name]), widths[name])
            for name, cell in zip(widths, row, strict=True)
        }
        if table:
            cells[NAME] = paint(cells[NAME], terminal.BOLD)
            table.append(GAP.join(cells.values()).rstrip())
        else:
            table.append(paint(GAP.join(cells.values()).rstrip(), terminal.DIM))
    return table


def _shrink(widths: dict[str, int], total: int) -> None:
    """Shrink the prompt, then the widest of project, run and name, until a line fits.

    An event is answered by its name, which therefore matters more than the end of its prompt. The
    prompt is omitted if the line would not fit otherwise.
    """
    smallest = {name: min(widths[name], MIN_WIDTH) for name in SHRINKABLE if name in widths}
    if _line_width(widths | smallest) > total:
        del widths[PROMPT]
    for shrinkable in ((PROMPT,), (PROJECT, RUN, NAME)):
        while _line_width(widths) > total:
            widest = max(shrinkable, key=lambda name: widths.get(name, 0))
            if widths.get(widest, 0) <= MIN_WIDTH:
                break
            widths[widest] -= 1


def _line_width(widths: dict[str, int]) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)
