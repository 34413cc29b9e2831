"""Writing a descriptor without blocking the event loop, with back-pressure.

Data that cannot be written yet is kept. Above `HIGH_WATER` bytes, the sender must pause.
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

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.rpc.poll_hangup import on_hangup

HIGH_WATER = 1 << 20
"""Unwritten bytes above which back-pressure starts: the sender must pause."""

LOW_WATER = 1 << 18
"""Unwritten bytes below which back-pressure ends: the sender may continue."""

WRITE_CHUNK_BYTES = 1 << 16
"""Maximum size of one write, where the descriptor sets no smaller one."""


class Sender(Protocol):
    """What a writer calls."""

    def pause_writing(self) -> None:
        """Stop writing until `resume_writing`."""

    def resume_writing(self) -> None:
        """Continue to write."""

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the loss of the reader."""


class FdWriter(Protocol):
    """A writer of a descriptor."""

    def write(self, data: bytes) -> None:
        """Write the data, now or as soon as possible."""

    async def drained(self) -> None:
        """Wait until everything is written, or the reader is gone."""

    def stop(self) -> None:
        """Stop writing, and call `connection_lost`."""


def write_fd(descriptor: int, sender: Sender) -> FdWriter:
    """Return the kind of writer that fits the descriptor."""
    # A terminal that polls as writable may still block after one byte.
    if sys.platform == "win32" or os.isatty(descriptor):
        try:
            return ThreadedFdWriter(descriptor, sender)
        except RuntimeError:  # no thread can be started
            if sys.platform == "win32":
                raise
    return PolledFdWriter(descriptor, sender)


class _Backlog:
    """The unwritten data of a writer: counts it, and applies back-pressure to the sender."""

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

    def _update(self) -> None:
        """Pause or resume the sender, and wake the waiters once everything is written."""
        if self._lost:
            return
        if not self._paused and self._unwritten > HIGH_WATER:
            self._paused = True
            self._sender.pause_writing()
        elif self._paused and self._unwritten < LOW_WATER:
            self._paused = False
            self._sender.resume_writing()
        if not self._unwritten:
            self._wake_waiters()

    def _report_lost(self, error: Exception | None = None) -> None:
        if not self._lost:
            self._lost = True
            self._wake_waiters()
            self._sender.connection_lost(error)

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            try_set_result(waiter, None)


class PolledFdWriter(_Backlog):
    """Writes on the event loop when the descriptor is writable.

    A socket has non-blocking sends. A pipe is opened again as non-blocking, which only Linux can.
    Elsewhere at most `PIPE_BUF` bytes are written to a writable pipe, which do not block.
    """

    def __init__(self, descriptor: int, sender: Sender) -> None:
        super().__init__(sender)
        mode = os.fstat(descriptor).st_mode
        self._reopened = _reopen(descriptor) if stat.S_ISFIFO(mode) else None
        self._descriptor = descriptor = descriptor if self._reopened is None else self._reopened
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[memoryview] = deque()
        self._waiting = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        any_size = self._reopened is not None or stat.S_ISREG(mode)
        self._max_write = WRITE_CHUNK_BYTES if any_size else select.PIPE_BUF
        self._socket: socket.socket | None = None
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(descriptor))
        self._unwatch = on_hangup(descriptor, self._hung_up)

    def write(self, data: bytes) -> None:
        if self._lost:
            return
        self._chunks.append(memoryview(data))
        self._unwritten += len(data)
        if not self._waiting:
            self._send()
        self._update()

    def stop(self) -> None:
        self._unwatch()
        self._hung_up()
        if self._socket is not None:
            self._socket.close()
        if self._reopened is not None:
            os.close(self._reopened)
            self._reopened = None

    def _ready(self) -> None:
        self._send()
        self._update()

    def _send(self) -> None:
        """Write what can be written now, and the rest when the descriptor is writable."""
        try:
            while self._chunks:
                count = self._write_chunk(self._chunks[0])
                if count == 0:
                    self._wait_writable()
                    return
                self._unwritten -= count
                if count < len(self._chunks[0]):
                    self._chunks[0] = self._chunks[0][count:]
                else:
                    self._chunks.popleft()
        except OSError as error:
            self._hung_up(error)
        self._stop_waiting()

    def _write_chunk(self, chunk: memoryview) -> int:
        """Write the start of the chunk and return its size; 0 if that would block."""
        try:
            if self._socket is not None:
                return self._socket.send(chunk, socket.MSG_DONTWAIT)
            if self._reopened is None and not self._poll.poll(0):
                return 0
            return os.write(self._descriptor, chunk[: self._max_write])
        except BlockingIOError:
            return 0

    def _wait_writable(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.add_writer(self._descriptor, self._ready)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._loop.remove_writer(self._descriptor)

    def _hung_up(self, error: Exception | None = None) -> None:
        self._stop_waiting()
        self._chunks.clear()
        self._report_lost(error)


def _reopen(pipe: int) -> int | None:
    """Open a pipe's end again as non-blocking, without effect on its other users."""
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(f"/proc/self/fd/{pipe}", flags)
    except OSError:
        return None


class ThreadedFdWriter(_Backlog):
    """Writes in a thread, for descriptors that cannot be polled."""

    def __init__(self, descriptor: int, sender: Sender) -> None:
        super().__init__(sender)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="stdout-writer", daemon=True).start()
        self._unwatch = on_hangup(descriptor, self._report_lost)

    def write(self, data: bytes) -> None:
        if not self._lost:
            self._unwritten += len(data)
            self._queue.put(data)
            self._update()

    def stop(self) -> None:
        self._unwatch()
        self._report_lost()
        self._queue.put(None)

    def _written(self, count: int) -> None:
        self._unwritten -= count
        self._update()

    def _work(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            while (data := self._queue.get()) is not None:
                rest = memoryview(data)
                while rest and not self._lost:
                    try:
                        count = os.write(self._descriptor, rest[:WRITE_CHUNK_BYTES])
                    except BlockingIOError:  # another user of the descriptor made it non-blocking
                        select.select([], [self._descriptor], [])
                        continue
                    except OSError as error:
                        self._loop.call_soon_threadsafe(self._report_lost, error)
                        return
                    rest = rest[count:]
                    self._loop.call_soon_threadsafe(self._written, count)
