"""A process of the server, with its streams.

The streams have threads of their own: a pipe that is full, or a server that does not read, must
block nothing else. This works on every system; pipes cannot be polled on Windows.
"""

from __future__ import annotations

import os
import queue
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Condition, Thread

import psutil

from flyte_sidecar._process_groups import kill_group

READ_SIZE = 1 << 16
"""Bytes to read or write at once."""

MAX_UNREAD = 64 << 20
"""Bytes of stdout that are kept until they are taken; then the server has to wait."""

MAX_STDERR = 1 << 14
"""Bytes at the end of stderr that are kept."""


class ServerProcess:
    """A running server.

    Parameters
    ----------
    stdin
        A file that the server reads instead of a pipe.

    Raises
    ------
    OSError
        If the command cannot be started.
    """

    def __init__(self, command: Sequence[str], *, stdin: Path | None = None) -> None:
        file = None if stdin is None else stdin.open("rb")
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - the command to test
                [*command],
                stdin=subprocess.PIPE if file is None else file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        finally:
            if file is not None:
                file.close()
        self._changed = Condition()
        self._output = bytearray()
        self._stderr = bytearray()
        self._at_end = False
        self._is_paused = False
        self._is_resting = False  # the reader waits, and does not use stdout
        self._to_write: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._unwritten = 0
        runs = [self._read, self._read_stderr] + ([self._write] if file is None else [])
        self._threads = [Thread(target=run, daemon=True) for run in runs]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def at_end(self) -> bool:
        """Whether stdout has ended, and all of it was taken."""
        with self._changed:
            return self._at_end and not self._output

    def stderr_tail(self) -> bytes:
        with self._changed:
            return bytes(self._stderr)

    def write(self, data: bytes) -> None:
        """Write to stdin, without waiting. Nothing happens if the server has closed it."""
        with self._changed:
            self._unwritten += len(data)
        self._to_write.put(data)

    def wait_until_stalled(self, interval: float) -> None:
        """Wait until everything is written, or the server reads nothing for an interval."""
        with self._changed:
            while unwritten := self._unwritten:
                if not self._changed.wait_for(partial(self._has_written, unwritten), interval):
                    return

    def end_input(self) -> None:
        """Close stdin after what was written."""
        self._to_write.put(None)

    def take(self, timeout: float) -> bytes:
        """Wait for output, and return it; empty after the timeout, or at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._output or self._at_end, timeout)
            taken = bytes(self._output)
            self._output.clear()
            self._changed.notify_all()
            return taken

    def pause_reading(self) -> None:
        """Stop reading stdout, after at most one more piece of it."""
        with self._changed:
            self._is_paused = True

    def resume_reading(self) -> None:
        with self._changed:
            self._is_paused = False
            self._changed.notify_all()

    def close_output(self, timeout: float) -> bool:
        """Close stdout as a client does that is gone. The server has to write once, after a pause.

        Returns
        -------
        Whether it was closed.
        """
        if not self._wait(lambda: self._is_resting or self._at_end, timeout):
            return False
        assert self._popen.stdout is not None
        self._popen.stdout.close()
        return True

    def wait_for_exit(self, timeout: float) -> int | None:
        """Wait for the end of the process, and return its status; None: it still runs."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def memory(self) -> int:
        """Return the bytes of memory that the process and its children use; 0 if it has ended."""
        return sum(process.memory_info().rss for process in self._processes())

    def cpu_time(self) -> float:
        """Return the seconds of CPU time that they have used."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(time.user + time.system for time in times)

    def close(self) -> None:
        """Kill the process and its children."""
        kill_group(self.pid)
        self._popen.wait()
        self.end_input()
        with self._changed:
            self._is_paused = False
            self._output.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _has_written(self, unwritten: int) -> bool:
        return self._unwritten < unwritten

    def _processes(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def _read(self) -> None:
        stdout = self._popen.stdout
        assert stdout is not None
        while True:
            with self._changed:
                while self._is_paused or len(self._output) > MAX_UNREAD:
                    self._is_resting = True
                    self._changed.notify_all()
                    self._changed.wait()
                self._is_resting = False
            try:
                data = os.read(stdout.fileno(), READ_SIZE)
            except (OSError, ValueError):  # it was closed
                data = b""
            with self._changed:
                self._output += data
                self._at_end = not data
                self._changed.notify_all()
            if not data:
                stdout.close()
                return

    def _read_stderr(self) -> None:
        stderr = self._popen.stderr
        assert stderr is not None
        with stderr:
            while data := os.read(stderr.fileno(), READ_SIZE):
                with self._changed:
                    self._stderr += data
                    del self._stderr[:-MAX_STDERR]

    def _write(self) -> None:
        stdin = self._popen.stdin
        assert stdin is not None
        with suppress(OSError):  # the server has closed it
            while (data := self._to_write.get()) is not None:
                for start in range(0, len(data), READ_SIZE):
                    self._write_all(stdin.fileno(), data[start : start + READ_SIZE])
        with suppress(OSError):
            stdin.close()
        with self._changed:
            self._unwritten = 0
            self._changed.notify_all()

    def _write_all(self, descriptor: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.write(descriptor, rest)
            rest = rest[written:]
            with self._changed:
                self._unwritten -= written
                self._changed.notify_all()


def until(deadline: float) -> float:
    """Return the seconds until a time of the monotonic clock, at least 0."""
    return max(0.0, deadline - time.monotonic())
