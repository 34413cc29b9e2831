"""How much work goes on at once, by the bytes that its results may have."""

from __future__ import annotations

import asyncio
from collections import deque

MAX_RESULT_BYTES = 64 << 20
"""Bytes that the results of the work under way may have together."""

MIN_RESULT_BYTES = 1 << 19
"""Bytes that a result is expected to have at least: a large one may follow many small ones."""


class ConcurrencyLimit:
    """Admits work in the order of its coming, while its results are expected to fit.

    How large a result is shows only once it is there. So the last ones tell what to expect: a
    large one counts for a while, and small ones open the window wider.

    Parameters
    ----------
    expected
        Bytes that a result is expected to have before any was seen.
    """

    def __init__(self, expected: int) -> None:
        self._paused = False
        self._expected = expected
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def acquire(self) -> asyncio.Future[None] | None:
        """Take a place; returns what is done once there is one, None if there is one now."""
        if not self._waiting and self._has_room():
            self._running += 1
            return None
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        return turn

    def release(self, turn: asyncio.Future[None] | None) -> None:
        """Return the place that `enter` gave, or no longer wait for it."""
        if turn is not None and not turn.done():
            turn.cancel()
        elif turn is None or not turn.cancelled():
            self._running -= 1
        self._admit()

    def pause(self) -> None:
        """Admit nothing until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Admit those who wait, as far as there is room."""
        self._paused = False
        self._admit()

    def record_size(self, size: int) -> None:
        """Take note of the size of a result, in bytes."""
        self._expected = max(size, self._expected * 3 // 4, MIN_RESULT_BYTES)

    def _admit(self) -> None:
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)

    def _has_room(self) -> bool:
        fits = (self._running + 1) * self._expected <= MAX_RESULT_BYTES
        return not self._paused and (fits or not self._running)
