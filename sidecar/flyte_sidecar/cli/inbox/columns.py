"""The columns of the list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.inbox.cells import fit, one_width
from flyte_sidecar.cli.inbox.event_list import Row
from flyte_sidecar.cli.table import GAP
from flyte_sidecar.cli.times import age, expiry
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.plain_text import sanitize

MIN_PROMPT = 12
"""Columns that the prompt has at least; columns that leave less room are omitted."""

MARKER = "> "
"""The mark of the selected row, which is also visible without colours."""

_FIXED = {"TYPE": 5, "AGE": 4, "EXPIRES": 7}
"""Columns of the cells whose width is known."""

_NAMES = ("PROJECT", "RUN", "NAME")


class Columns:
    """The widths of the columns. Those of names grow with the rows that were drawn."""

    def __init__(self) -> None:
        self._widths = {name: len(name) for name in _NAMES}
        self._projects: set[str | None] = set()

    def lines(self, rows: Sequence[Row], width: int, now: datetime) -> list[tuple[str, str]]:
        """Return the headers and one line for each row, each with its names and its other text."""
        for row in rows:
            self._grow(row.event)
        names, others = self._layout(width)
        rest = max(0, width - len(MARKER) - sum(names.values()) - len(GAP) * len(names))
        headers = (_join(names, {name: name for name in names}), _others(others, _HEADERS, rest))
        return [headers, *(self._line(row, names, others, rest, now) for row in rows)]

    def _line(
        self, row: Row, names: dict[str, int], others: Sequence[str], rest: int, now: datetime
    ) -> tuple[str, str]:
        event = row.event
        values = {"PROJECT": event.project or "?", "RUN": event.run_name, "NAME": event.name}
        named = _join(names, values)
        text = row.ended or row.note
        if text is not None:
            return named, fit(text, rest)
        cells = {
            "TYPE": event.expected_type or "?",
            "AGE": age(event, now),
            "EXPIRES": expiry(event, now),
            "PROMPT": event.prompt or "",
        }
        return named, _others(others, cells, rest)

    def _grow(self, event: Event) -> None:
        self._projects.add(event.project)
        for name, text in zip(
            _NAMES, (event.project or "?", event.run_name, event.name), strict=True
        ):
            shown = one_width(sanitize(text[:MAX_NAME]))
            self._widths[name] = max(self._widths[name], min(MAX_NAME, terminal.width(shown)))

    def _layout(self, width: int) -> tuple[dict[str, int], list[str]]:
        """Return the widths of the names, and which other columns fit beside them."""
        shown = _NAMES if len(self._projects) > 1 else _NAMES[1:]
        widest = max(4, width // (2 * len(shown)) - len(GAP))
        names = {name: min(self._widths[name], widest) for name in shown}
        others = [*_FIXED, "PROMPT"]
        used = len(MARKER) + sum(names.values()) + len(GAP) * len(names)
        for omitted in ("EXPIRES", "AGE", "TYPE"):
            if used + sum(_FIXED.get(n, 0) + len(GAP) for n in others) + MIN_PROMPT <= width:
                break
            others.remove(omitted)
        return names, others


MAX_NAME = 40
"""Columns of a name above which it is truncated on a screen of any width."""

_HEADERS = {name: name for name in (*_FIXED, "PROMPT")}


def _join(widths: dict[str, int], cells: dict[str, str]) -> str:
    return "".join(fit(cells[name], width) + GAP for name, width in widths.items())


def _others(names: Sequence[str], cells: dict[str, str], columns: int) -> str:
    """Return the cells beside the names on exactly so many columns; the last one has the rest."""
    fixed = {name: _FIXED[name] for name in names if name in _FIXED}
    before = _join(fixed, cells)
    return fit(before + fit(cells["PROMPT"], columns - len(before)), columns)
