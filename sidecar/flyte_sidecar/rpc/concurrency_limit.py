"""Limiting how many requests run at once, by the memory that their results may need."""

from __future__ import annotations

import asyncio
from collections import deque

MAX_RESULT_BYTES = 64 << 20
"""Limit for the expected results of all running requests, in bytes."""

MIN_RESULT_BYTES = 1 << 19
"""Minimum of the expected size in bytes: a large result may follow many small ones."""


class ConcurrencyLimit:
    """Starts requests in the order of arrival while their results are expected to fit.

    The expected size of a result follows the last results: it rises to a large one at once, and
    decreases slowly after small ones.

    Parameters
    ----------
    expected
        Expected size of the first result in bytes.
    """

    def __init__(self, expected: int) -> None:
        self._paused = False
        self._expected = expected
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def acquire(self) -> asyncio.Future[None] | None:
        """Return a future that is done when the request may start; None if it may start now."""
        if not self._waiting and self._has_room():
            self._running += 1
            return None
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        return turn

    def release(self, turn: asyncio.Future[None] | None) -> None:
        """Mark a request as finished, or as no longer waiting; `turn` is from `acquire`."""
        if turn is not None and not turn.done():
            turn.cancel()
        elif turn is None or not turn.cancelled():
            self._running -= 1
        self._start_waiting()

    def pause(self) -> None:
        """Start nothing until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self._paused = False
        self._start_waiting()

    def record_size(self, size: int) -> None:
        """Adjust the expected size to a result's size in bytes."""
        self._expected = max(size, self._expected * 3 // 4, MIN_RESULT_BYTES)

    def _start_waiting(self) -> None:
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)

    def _has_room(self) -> bool:
        fits = (self._running + 1) * self._expected <= MAX_RESULT_BYTES
        return not self._paused and (fits or not self._running)
