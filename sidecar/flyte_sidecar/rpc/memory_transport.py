"""A transport whose other end is in the same process."""

from __future__ import annotations

import asyncio

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.rpc.transport import StreamProtocol

MAX_UNREAD_BYTES = 1 << 20
"""Default size of the unread data above which back-pressure starts."""


class MemoryTransport:
    """Keeps what a protocol writes until it is read.

    Attributes
    ----------
    unread
        The data that was written and not read.
    reading
        Whether the protocol accepts data now.
    """

    def __init__(self, protocol: StreamProtocol, max_unread: int = MAX_UNREAD_BYTES) -> None:
        self.unread: list[bytes] = []
        self.reading = True
        self._protocol = protocol
        self._max_unread = max_unread
        self._size = 0
        self._paused = False
        self._discarding = False
        self._written: asyncio.Future[None] | None = None
        self._resumed: asyncio.Future[None] | None = None
        protocol.connection_made(self)

    async def wait_readable(self) -> None:
        """Wait until there is unread data."""
        while not self.unread:
            self._written = asyncio.get_running_loop().create_future()
            await self._written

    def read(self) -> bytes:
        """Return all unread data."""
        data, self.unread, self._size = b"".join(self.unread), [], 0
        if self._paused:
            self._paused = False
            if self._resumed is not None:
                try_set_result(self._resumed, None)
            self._protocol.resume_writing()
        return data

    def write(self, data: bytes) -> None:
        if self._discarding:
            return
        self.unread.append(data)
        self._size += len(data)
        if self._written is not None:
            try_set_result(self._written, None)
        if self._size > self._max_unread and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    async def drained(self) -> None:
        while self._paused:
            self._resumed = asyncio.get_running_loop().create_future()
            await self._resumed

    def discard(self) -> None:
        """Drop all data, unread and written later."""
        self._discarding = True
        self.read()
