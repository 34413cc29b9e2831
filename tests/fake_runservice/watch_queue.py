"""A queue from any thread to a watch's stream."""

from __future__ import annotations

import asyncio
import contextlib

from tests.fake_runservice.actions import Change, StatusError


class WatchQueue:
    """A queue of changes, read by one coroutine of the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._error: StatusError | None = None

    def put(self, change: Change | None) -> None:
        """Add a change; thread-safe."""
        with contextlib.suppress(RuntimeError):  # a closed loop has no reader
            self._loop.call_soon_threadsafe(self._queue.put_nowait, change)

    def end(self, error: StatusError) -> None:
        """End the stream before the changes that are still queued; thread-safe."""
        self._error = error
        self.put(None)

    async def next(self) -> Change:
        """Return the next change; raise the error that ended the stream."""
        change = await self._queue.get()
        if self._error is not None or change is None:
            assert self._error is not None
            raise self._error
        return change
