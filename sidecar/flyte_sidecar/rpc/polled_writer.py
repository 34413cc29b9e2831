"""Writing a descriptor that can be polled, on POSIX systems."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import stat
import sys
from collections import deque

from flyte_sidecar.rpc.backlog import WRITE_CHUNK_BYTES, Backlog, Sender
from flyte_sidecar.rpc.poll_hangup import on_hangup

assert sys.platform != "win32"  # type checkers skip this module on Windows


class PolledFdWriter(Backlog):
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
