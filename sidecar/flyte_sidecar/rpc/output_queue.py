"""Answers on their way to the transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from flyte_sidecar._futures import try_set_result

T = TypeVar("T")

FLUSH_BYTES = 1 << 16
"""Messages that have gathered to so much are written before more are made."""


class Transport(Protocol):
    """Where bytes go and come from.

    As asyncio's transports do, it tells its protocol by `pause_writing` and `resume_writing`
    how the writing goes.
    """

    def write(self, data: bytes) -> None:
        """Write the data, now or later."""

    def pause_reading(self) -> None:
        """Bring no more data."""

    def resume_reading(self) -> None:
        """Go on to bring data."""

    async def drained(self) -> None:
        """Wait until everything is written."""


class OutputQueue(Generic[T]):
    """Gathers small messages into large writes, and answers only while there is room.

    An answer is turned into bytes when it can be written, not before: thousands may be
    decided while the client reads nothing.

    Parameters
    ----------
    render
        Gives an answer's message, framed; None for none.
    """

    def __init__(self, render: Callable[[T], bytes | None]) -> None:
        self.transport: Transport | None = None
        self.full = False
        self._render = render
        self._waiting: deque[T] = deque()
        self._gathered: list[bytes] = []
        self._bytes = 0
        self._flush_soon: asyncio.Handle | None = None
        self._room: asyncio.Future[None] | None = None

    async def wait_for_room(self) -> None:
        """Wait until something can be written at once."""
        while self.full:
            if self._room is None or self._room.done():
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    def put(self, answer: T) -> None:
        """Send an answer once there is room."""
        if self.full:
            self._waiting.append(answer)
            return
        message = self._render(answer)
        if message is None:
            return
        self._gathered.append(message)
        self._bytes += len(message)
        if self._bytes > FLUSH_BYTES:
            self.flush()
        elif self._flush_soon is None:
            self._flush_soon = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Hand what was gathered to the transport."""
        if self._flush_soon is not None:
            self._flush_soon.cancel()
            self._flush_soon = None
        if self._gathered and self.transport is not None:
            data, self._gathered, self._bytes = b"".join(self._gathered), [], 0
            self.transport.write(data)

    def resume(self) -> None:
        """There is room again."""
        self.full = False
        while self._waiting and not self.full:
            self.put(self._waiting.popleft())
        self.flush()
        self._tell_of_room()

    def close(self) -> None:
        """Nobody reads any more: drop what waits, and whatever comes."""
        self.transport = None
        self.full = False
        self._waiting.clear()
        self._gathered.clear()
        self._tell_of_room()

    def _tell_of_room(self) -> None:
        if not self.full and self._room is not None:
            try_set_result(self._room, None)

    async def drained(self) -> None:
        """Wait until everything that was answered is written."""
        self.flush()
        while self.transport is not None and (self.full or self._waiting or self._gathered):
            await self.transport.drained()
        if self.transport is not None:
            await self.transport.drained()
