"""Responses and notifications that wait to be written, under back-pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.rpc.transport import Transport

FLUSH_BYTES = 1 << 16
"""Size of the gathered messages above which they are written at once."""


class OutputQueue:
    """Gathers small messages into large writes, and queues messages during back-pressure.

    A message is encoded only when it can be written: thousands of results may wait while the
    client reads nothing.

    Attributes
    ----------
    full
        Whether there is back-pressure: the transport called `pause_writing`. The connection then
        reads no more messages.
    """

    def __init__(self) -> None:
        self.transport: Transport | None = None
        self.full = False
        self._waiting: deque[tuple[Callable[..., bytes | None], tuple[Any, ...]]] = deque()
        self._gathered: list[bytes] = []
        self._bytes = 0
        self._flush_scheduled: asyncio.Handle | None = None
        self._room: asyncio.Future[None] | None = None

    async def wait_for_room(self) -> None:
        """Wait while there is back-pressure."""
        while self.full:
            if self._room is None or self._room.done():
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    def put(self, encode: Callable[..., bytes | None], *arguments: Any) -> None:
        """Send the message that `encode` returns for the arguments, once there is room.

        It returns None to send nothing.
        """
        if self.full:
            self._waiting.append((encode, arguments))
            return
        message = encode(*arguments)
        if message is None:
            return
        self._gathered.append(message)
        self._bytes += len(message)
        if self._bytes > FLUSH_BYTES:
            self.flush()
        elif self._flush_scheduled is None:
            self._flush_scheduled = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write the gathered messages."""
        if self._flush_scheduled is not None:
            self._flush_scheduled.cancel()
            self._flush_scheduled = None
        if self._gathered and self.transport is not None:
            data, self._gathered, self._bytes = b"".join(self._gathered), [], 0
            self.transport.write(data)

    def resume(self) -> None:
        """Send the queued messages, because back-pressure has ended."""
        self.full = False
        while self._waiting and not self.full:
            encode, arguments = self._waiting.popleft()
            self.put(encode, *arguments)
        self.flush()
        self._wake()

    def close(self) -> None:
        """Drop all messages, now and later, because the client is gone."""
        self.transport = None
        self.full = False
        self._waiting.clear()
        self._gathered.clear()
        self._wake()

    def _wake(self) -> None:
        if not self.full and self._room is not None:
            try_set_result(self._room, None)

    async def drained(self) -> None:
        """Wait until everything is written."""
        self.flush()
        while self.transport is not None and (self.full or self._waiting or self._gathered):
            await self.transport.drained()
        if self.transport is not None:
            await self.transport.drained()
