"""Writing a descriptor without blocking the event loop, with back-pressure.

Data that cannot be written yet is kept: see `backlog`.
"""

from __future__ import annotations

import asyncio
import os
import queue
import select
import sys
import threading
from contextlib import suppress
from typing import Protocol

from flyte_sidecar.rpc.backlog import WRITE_CHUNK_BYTES, Backlog, Sender
from flyte_sidecar.rpc.poll_hangup import on_hangup

if sys.platform != "win32":
    from flyte_sidecar.rpc.polled_writer import PolledFdWriter


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
    if sys.platform == "win32":
        return ThreadedFdWriter(descriptor, sender)
    else:
        # A terminal that polls as writable may still block after one byte.
        if os.isatty(descriptor):
            with suppress(RuntimeError):  # no thread can be started
                return ThreadedFdWriter(descriptor, sender)
        return PolledFdWriter(descriptor, sender)


class ThreadedFdWriter(Backlog):
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
