"""Reading a descriptor on the event loop if it can be polled, else in a thread."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import Protocol

READ_CHUNK_BYTES = 1 << 16
"""Maximum size of one read."""


class Receiver(Protocol):
    """What a reader calls."""

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""

    def eof_received(self) -> None:
        """Handle the end of input."""


class FdReader(Protocol):
    """A reader of a descriptor. It starts paused."""

    def pause(self) -> None:
        """Stop delivering data until `resume`."""

    def resume(self) -> None:
        """Continue to deliver data."""


def read_fd(descriptor: int, receiver: Receiver) -> FdReader:
    """Return the kind of reader that fits the descriptor."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(descriptor, int)
        loop.remove_reader(descriptor)
    except (OSError, NotImplementedError):
        return ThreadedFdReader(descriptor, receiver)
    return PolledFdReader(descriptor, receiver)


class PolledFdReader:
    """Reads on the event loop when the descriptor is readable."""

    def __init__(self, descriptor: int, receiver: Receiver) -> None:
        self._descriptor = descriptor
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._ended = False

    def pause(self) -> None:
        self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        if not self._ended:
            self._loop.add_reader(self._descriptor, self._ready)

    def _ready(self) -> None:
        try:
            data = os.read(self._descriptor, READ_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # the connection was reset
        if data:
            self._receiver.data_received(data)
        else:
            self._ended = True
            self.pause()
            self._receiver.eof_received()


class ThreadedFdReader:
    """Reads in a thread, at most one chunk ahead."""

    def __init__(self, descriptor: int, receiver: Receiver) -> None:
        self._descriptor = descriptor
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._paused = True
        self._requested = False  # a read is requested or running
        self._undelivered: bytes | None = None  # read while paused
        self._start_read = threading.Event()
        self._threaded = True
        try:
            # A daemon: a read that never returns must not keep the process.
            threading.Thread(target=self._work, name="stdin-reader", daemon=True).start()
        except RuntimeError:
            # No thread can be started. Reading a file does not block for long.
            self._threaded = False

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._undelivered is None:
            self._request_read()
        else:
            self._loop.call_soon(self._deliver)

    def _request_read(self) -> None:
        """Start one read, unless one is running."""
        if not self._requested:
            self._requested = True
            if self._threaded:
                self._start_read.set()
            else:
                self._loop.call_soon(lambda: self._finish_read(self._read()))

    def _work(self) -> None:
        while True:
            self._start_read.wait()
            self._start_read.clear()
            data = self._read()
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._finish_read, data)
            if not data:
                return

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, READ_CHUNK_BYTES)
        except OSError:
            return b""

    def _finish_read(self, data: bytes) -> None:
        self._requested = False
        self._undelivered = data
        self._deliver()

    def _deliver(self) -> None:
        if self._paused or self._undelivered is None:
            return
        data, self._undelivered = self._undelivered, None
        if not data:
            self._requested = True  # at the end of input: prevents another read
            self._receiver.eof_received()
            return
        self._receiver.data_received(data)
        if not self._paused:
            self._request_read()
