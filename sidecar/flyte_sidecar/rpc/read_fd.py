"""Reading a descriptor: on the event loop if the system can poll it, else in a thread."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import Protocol

READ_CHUNK_BYTES = 1 << 16


class Receiver(Protocol):
    """What a reader calls."""

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""

    def eof_received(self) -> None:
        """Handle the end of input."""


class FdReader(Protocol):
    """A reader of a descriptor. It starts paused."""

    def pause(self) -> None:
        """Deliver no more data until `resume`, except what a thread has read already."""

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
        self._asked = False  # the thread reads, or has been asked to
        self._held: bytes | None = None  # read, but the receiver is paused
        self._go = threading.Event()
        self._threaded = True
        try:
            # A daemon: a read that never returns must not keep the process.
            threading.Thread(target=self._work, name="stdin-reader", daemon=True).start()
        except RuntimeError:
            self._threaded = (
                False  # no thread can be started; reading a file does not block for long
            )

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._held is None:
            self._ask()
        else:
            self._loop.call_soon(self._deliver)

    def _ask(self) -> None:
        """Let the thread read once."""
        if not self._asked:
            self._asked = True
            if self._threaded:
                self._go.set()
            else:
                self._loop.call_soon(lambda: self._take(self._read()))

    def _work(self) -> None:
        while True:
            self._go.wait()
            self._go.clear()
            data = self._read()
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._take, data)
            if not data:
                return

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, READ_CHUNK_BYTES)
        except OSError:
            return b""

    def _take(self, data: bytes) -> None:
        self._asked = False
        self._held = data
        self._deliver()

    def _deliver(self) -> None:
        if self._paused or self._held is None:
            return
        data, self._held = self._held, None
        if not data:
            self._asked = True  # nothing more can be read
            self._receiver.eof_received()
            return
        self._receiver.data_received(data)
        if not self._paused:
            self._ask()
