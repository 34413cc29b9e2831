"""FdReader a descriptor: on the event loop where the system can wait for it, else by a thread."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import Protocol

CHUNK = 1 << 16


class Receiver(Protocol):
    """Who is told what was read."""

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""

    def eof_received(self) -> None:
        """No more bytes will come."""


class FdReader(Protocol):
    """A descriptor being read. It begins paused."""

    def pause(self) -> None:
        """Bring no more data, save what a thread has read already."""

    def resume(self) -> None:
        """Go on."""


def read_fd(descriptor: int, receiver: Receiver) -> FdReader:
    """Read a descriptor in the way that suits it."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(descriptor, int)
        loop.remove_reader(descriptor)
    except (OSError, NotImplementedError):
        return ThreadedFdReader(descriptor, receiver)
    return PolledFdReader(descriptor, receiver)


class PolledFdReader:
    """Reads when the system says that there is something to read."""

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
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # the other end broke off
        if data:
            self._receiver.data_received(data)
        else:
            self._ended = True
            self.pause()
            self._receiver.eof_received()


class ThreadedFdReader:
    """Reads by a thread, one chunk ahead at most."""

    def __init__(self, descriptor: int, receiver: Receiver) -> None:
        self._descriptor = descriptor
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._paused = True
        self._asked = False  # the thread is reading
        self._held: bytes | None = None  # read, but the receiver is paused
        self._go = threading.Event()
        self._threaded = True
        try:
            # A daemon: a read that never returns must not keep the process.
            threading.Thread(target=self._work, name="stdin-reader", daemon=True).start()
        except RuntimeError:
            self._threaded = False  # none can be started; a file keeps nobody waiting

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._held is None:
            self._ask()
        else:
            self._loop.call_soon(self._deliver)

    def _ask(self) -> None:
        """Have the thread read, once."""
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
            with suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._take, data)
            if not data:
                return

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, CHUNK)
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
            self._asked = True  # there is nothing more to read
            self._receiver.eof_received()
            return
        self._receiver.data_received(data)
        if not self._paused:
            self._ask()
