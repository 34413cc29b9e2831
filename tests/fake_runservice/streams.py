"""The way of changes from any thread to a watch's stream."""

from __future__ import annotations

import asyncio
import contextlib

from tests.fake_runservice.actions import Change, Refusal


class Stream:
    """A queue of changes that one coroutine of the running loop reads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._refusal: Refusal | None = None

    def put(self, change: Change | None) -> None:
        """Add a change; any thread may."""
        with contextlib.suppress(RuntimeError):  # a loop that closed has no reader left
            self._loop.call_soon_threadsafe(self._queue.put_nowait, change)

    def end(self, refusal: Refusal) -> None:
        """End the stream before any change that waits; any thread may."""
        self._refusal = refusal
        self.put(None)

    async def next(self) -> Change:
        """Give the next change; raise the refusal that ended the stream."""
        change = await self._queue.get()
        if self._refusal is not None or change is None:
            assert self._refusal is not None
            raise self._refusal
        return change
