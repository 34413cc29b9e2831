"""Writing a descriptor without ever blocking the event loop.

What cannot be written yet is kept, and its amount told to the sender, who stops taking work.
"""

from __future__ import annotations

import asyncio
import os
import queue
import select
import socket
import stat
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Protocol

HIGH_WATER = 1 << 20
"""Bytes: with more than this unwritten the sender is told to pause."""

LOW_WATER = 1 << 18
"""Bytes: with less than this it is told to go on."""


class Sender(Protocol):
    """Who is told how the writing goes."""

    def pause_writing(self) -> None:
        """Too much waits to be written."""

    def resume_writing(self) -> None:
        """There is room again."""

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody reads any more."""


class Writing(Protocol):
    """A descriptor being written."""

    def write(self, data: bytes) -> None:
        """Write the data, now or as soon as it can be done."""

    async def drained(self) -> None:
        """Wait until all is written, or nobody reads any more."""

    def stop(self) -> None:
        """Write nothing more."""


def write_to(descriptor: int, sender: Sender) -> Writing:
    """Write a descriptor in the way that suits it."""
    if sys.platform == "win32":
        return ThreadedWriting(descriptor, sender)
    return PolledWriting(descriptor, sender)


class _Backlog:
    """What both ways share: counting what is unwritten, and telling the sender."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._unwritten = 0
        self._paused = False
        self._lost = False
        self._waiters: list[asyncio.Future[None]] = []

    async def drained(self) -> None:
        if self._unwritten and not self._lost:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _added(self, count: int) -> None:
        self._unwritten += count
        if self._unwritten > HIGH_WATER and not self._paused:
            self._paused = True
            self._sender.pause_writing()

    def _written(self, count: int) -> None:
        self._unwritten -= count
        if self._paused and self._unwritten < LOW_WATER:
            self._paused = False
            self._sender.resume_writing()
        if not self._unwritten:
            self._release()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._release()
            self._sender.connection_lost(error)

    def _release(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class PolledWriting(_Backlog):
    """Writes what the system says can be written without blocking.

    A pipe that is ready takes `PIPE_BUF` bytes whole; a socket can be told not to block.
    """

    def __init__(self, descriptor: int, sender: Sender) -> None:
        super().__init__(sender)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[memoryview] = deque()
        self._waiting = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        mode = os.fstat(descriptor).st_mode
        self._socket: socket.socket | None = None
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(descriptor))
        if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
            # The end of its reader is told as something to read.
            self._loop.add_reader(descriptor, self._maybe_lost)

    def write(self, data: bytes) -> None:
        if self._lost:
            return
        self._chunks.append(memoryview(data))
        self._added(len(data))
        if not self._waiting:
            self._send()

    def stop(self) -> None:
        self._lost = True
        self._loop.remove_reader(self._descriptor)
        if self._waiting:
            self._loop.remove_writer(self._descriptor)
        self._release()

    def _send(self) -> None:
        try:
            while self._chunks and not self._lost:
                count = self._send_some(self._chunks[0])
                if count == 0:
                    self._wait_for_room()
                    return
                if count < len(self._chunks[0]):
                    self._chunks[0] = self._chunks[0][count:]
                else:
                    self._chunks.popleft()
                self._written(count)
        except OSError as error:
            self._stop_waiting()
            self._lose(error)
            return
        self._stop_waiting()

    def _send_some(self, chunk: memoryview) -> int:
        """Write some of the chunk; 0 if that would block."""
        try:
            if self._socket is not None:
                return self._socket.send(chunk, socket.MSG_DONTWAIT)
            if not self._poll.poll(0):
                return 0
            return os.write(self._descriptor, chunk[: select.PIPE_BUF])
        except BlockingIOError:
            return 0

    def _wait_for_room(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.add_writer(self._descriptor, self._send)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._loop.remove_writer(self._descriptor)

    def _maybe_lost(self) -> None:
        watch = select.poll()
        watch.register(self._descriptor, 0)
        # A socket may also have something to read; that is not for us.
        self._loop.remove_reader(self._descriptor)
        if watch.poll(0):
            self._stop_waiting()
            self._lose(None)


class ThreadedWriting(_Backlog):
    """Writes by a thread, for systems that cannot wait for a descriptor."""

    def __init__(self, descriptor: int, sender: Sender) -> None:
        super().__init__(sender)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="stdout-writer", daemon=True).start()

    def write(self, data: bytes) -> None:
        if not self._lost:
            self._added(len(data))
            self._queue.put(data)

    def stop(self) -> None:
        self._lost = True
        self._queue.put(None)
        self._release()

    def _work(self) -> None:
        with suppress(RuntimeError):  # the loop is gone
            while (data := self._queue.get()) is not None:
                rest = memoryview(data)
                while rest:
                    try:
                        count = os.write(self._descriptor, rest[:CHUNK])
                    except OSError as error:
                        self._loop.call_soon_threadsafe(self._lose, error)
                        return
                    rest = rest[count:]
                    self._loop.call_soon_threadsafe(self._written, count)


CHUNK = 1 << 16
"""Bytes that a thread writes at once."""
