"""Moving in the text of a page; `EventList` moves in the same way."""

from __future__ import annotations

from typing import Protocol


class Movable(Protocol):
    """What the keys that move act on."""

    def move(self, by: int) -> None:
        """Move down by some lines, or up if `by` is negative."""

    def move_pages(self, by: int) -> None:
        """Move down by some screens, or up if `by` is negative."""

    def move_to_start(self) -> None:
        """Move to the first line."""

    def move_to_end(self) -> None:
        """Move to the last line."""


class Scrolling:
    """The position in a text; `fit` limits it to the text.

    Attributes
    ----------
    offset
        The first line that is shown.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._height = 1

    def fit(self, lines: int, height: int) -> int:
        """Return the first line to show of a text of so many lines."""
        self._height = height
        self.offset = max(0, min(self.offset, lines - height))
        return self.offset

    def move(self, by: int) -> None:
        self.offset += by

    def move_pages(self, by: int) -> None:
        self.move(by * max(1, self._height - 1))

    def move_to_start(self) -> None:
        self.offset = 0

    def move_to_end(self) -> None:
        self.offset = 1 << 30
