"""What was sent and received, bounded: a server may write anything, and any amount of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

MAX_BYTES = 400
"""Bytes of one entry that are kept."""

MAX_ENTRIES = 12
"""Entries at the beginning, and as many at the end, that are kept."""

Direction = Literal["sent", "received"]


class Entry(Struct, frozen=True):
    """Some bytes of a stream.

    Attributes
    ----------
    text
        The first bytes as ASCII, others escaped.
    size
        The number of all bytes.
    """

    direction: Direction
    text: str
    size: int


class Evidence:
    """The log of a connection."""

    def __init__(self) -> None:
        self._first: list[Entry] = []
        self._last: list[Entry] = []

    def add(self, direction: Direction, data: bytes) -> None:
        """Record bytes."""
        if data:
            entries = self._first if len(self._first) < MAX_ENTRIES else self._last
            entries.append(Entry(direction, escape(data), len(data)))
            del self._last[:-MAX_ENTRIES]

    def entries(self) -> list[Entry]:
        """Return the first and the last entries."""
        return self._first + self._last


def escape(data: bytes, size: int = MAX_BYTES) -> str:
    """Return the first bytes as printable ASCII, with all others escaped as in Python."""
    shown = repr(data[:size])[2:-1].replace("\\'", "'")
    return shown if len(data) <= size else f"{shown}... ({len(data):,} bytes)"
