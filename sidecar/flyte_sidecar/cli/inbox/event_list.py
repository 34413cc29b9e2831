"""The list of the inbox: rows, the filter, the selection, and which rows fit on the screen."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import TypeAlias

from msgspec import Struct

from flyte_sidecar.cli.search import contains, words_of
from flyte_sidecar.events.intern_pool import EventKey, event_key
from flyte_sidecar.events.model import Event, without_details
from flyte_sidecar.events.outcome_text import outcome, short_outcome, title

ENDED_SECONDS = 20.0
"""Seconds for which an event that has ended is still listed."""

MAX_ENDED = 200
"""Ended events that are listed; earlier ones are removed at once."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Order: TypeAlias = tuple[datetime, EventKey]


class Row(Struct, eq=False):
    """An event of the list.

    Attributes
    ----------
    event
        Its last state, without its details once it has ended.
    order
        Its position in the order of the list.
    ended
        How it ended, in a few words; None while it waits.
    outcome
        The same as a sentence.
    note
        What became of the user's last answer to it, if the event still waits.
    leaves_at
        When the row is removed, on the clock of the list.
    """

    key: EventKey
    event: Event
    order: Order
    ended: str | None = None
    outcome: str = ""
    note: str | None = None
    leaves_at: float = 0.0


class EventList:
    """Waiting events in order of creation, and those that have ended recently.

    The user selects a row, and only the user selects another one: a row that is selected stays,
    whatever happens to its event. Only if no row is selected, the first one is.

    Parameters
    ----------
    clock
        Returns the time in seconds.

    Attributes
    ----------
    waiting
        The number of waiting events.
    rows
        The rows that match the filter.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.waiting = 0
        self._clock = clock
        self._rows: dict[EventKey, Row] = {}
        self._all: list[Row] = []
        self._words: list[str] = []
        self._shown: list[Row] = self._all
        self._ended: deque[Row] = deque()  # the next one to remove first
        self._selected: Row | None = None
        self._line = 0
        self._height = 1

    @property
    def rows(self) -> Sequence[Row]:
        return self._shown

    @property
    def selected(self) -> Row | None:
        """The selected row; None if there are no rows."""
        if self._selected is None and self._shown:
            self._selected, self._line = self._shown[0], 0
        return self._selected

    def get(self, key: EventKey) -> Row | None:
        """Return the row of an event."""
        return self._rows.get(key)

    def put(self, event: Event) -> None:
        """Add an event that waits, or replace its state."""
        key = event_key(event)
        order = (event.created_at or _LONG_AGO, key)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(key, event, order)
            self.waiting += 1
        else:
            self._take_out(row)
            row.event, row.order = event, order
            if row.ended is not None:
                row.ended = None
                self._ended.remove(row)
                self.waiting += 1
        self._insert(row)

    def end(self, event: Event) -> None:
        """Show how an event has ended; nothing happens if it is not listed."""
        row = self._rows.get(event_key(event))
        if row is None:
            return
        if event.pending:
            self._end(row, event, "no longer listed", f"{title(event)} is no longer listed.")
        else:
            self._end(row, event, short_outcome(event), outcome(event, earlier=True))

    def remove_ended(self) -> None:
        """Remove the rows of events that ended long ago, except the selected one."""
        now = self._clock()
        due = [row for row in self._ended if row.leaves_at <= now and row is not self._selected]
        for row in due:
            self._remove(row)

    def filter(self, text: str) -> None:
        """Show only the rows that contain each word of a text, in upper or lower case."""
        self._words = words_of(text)
        self._shown = [*filter(self._matches, self._all)] if self._words else self._all
        selected = self._selected
        if selected is not None and not self._matches(selected):
            index = min(_index(self._shown, selected), len(self._shown) - 1)
            self._selected = self._shown[index] if self._shown else None

    def move(self, by: int) -> None:
        """Select a row further down, or further up if `by` is negative."""
        if (selected := self.selected) is not None:
            self._select(_index(self._shown, selected) + by)

    def move_pages(self, by: int) -> None:
        """Select a row as many screens further down."""
        self.move(by * max(1, self._height - 1))

    def move_to_start(self) -> None:
        """Select the first row."""
        self._select(0)

    def move_to_end(self) -> None:
        """Select the last row."""
        self._select(len(self._shown) - 1)

    def visible(self, height: int) -> Sequence[Row]:
        """Return the rows that fit into the height.

        The selected row stays on its line of the screen when rows above it come and go.
        """
        self._height = height
        selected = self.selected
        if selected is None or height < 1:
            return ()
        index = _index(self._shown, selected)
        self._line = max(0, min(self._line, height - 1, index))
        top = max(0, min(index - self._line, len(self._shown) - height))
        self._line = index - top
        return self._shown[top : top + height]

    def _select(self, index: int) -> None:
        if not self._shown or self.selected is None:
            return
        index = max(0, min(index, len(self._shown) - 1))
        self._line += index - _index(self._shown, self.selected)
        self._selected = self._shown[index]

    def _end(self, row: Row, event: Event, ended: str, outcome: str) -> None:
        if row.ended is None:
            self.waiting -= 1
        else:
            self._ended.remove(row)
        row.event = without_details(event)
        row.ended, row.outcome, row.note = ended, outcome, None
        row.leaves_at = self._clock() + ENDED_SECONDS
        self._ended.append(row)
        if len(self._ended) > MAX_ENDED:
            self._remove(next(row for row in self._ended if row is not self._selected))

    def _remove(self, row: Row) -> None:
        self._ended.remove(row)
        self._take_out(row)
        del self._rows[row.key]

    def _insert(self, row: Row) -> None:
        self._all.insert(_index(self._all, row), row)
        if self._shown is not self._all and (row is self._selected or self._matches(row)):
            self._shown.insert(_index(self._shown, row), row)

    def _take_out(self, row: Row) -> None:
        for rows in (self._all,) if self._shown is self._all else (self._all, self._shown):
            index = _index(rows, row)
            if index < len(rows) and rows[index] is row:
                del rows[index]

    def _matches(self, row: Row) -> bool:
        return contains(row.event, self._words)


def _index(rows: Sequence[Row], row: Row) -> int:
    """Return the index of a row, or the one at which it would be inserted."""
    return bisect_left(rows, row.order, key=attrgetter("order"))
