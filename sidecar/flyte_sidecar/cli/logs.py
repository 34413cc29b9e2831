"""Log lines on stderr, or in a file, that never hold up the work.

Whoever starts a sidecar may not read its stderr. A thread writes the lines, and lines that
find it stuck are dropped.
"""

from __future__ import annotations

import logging
import os
import queue
import stat
import threading
import time
from contextlib import suppress

from flyte_sidecar.cli.standard_streams import write_all

MAX_LINE = 2000
"""Characters; a longer line is cut."""

BACKLOG = 1000
"""Lines that wait for a reader of stderr before new ones are dropped."""

_STDERR = 2


class LineHandler(logging.Handler):
    """Writes each record as a line to a descriptor, by a thread that may get stuck."""

    def __init__(self, descriptor: int = _STDERR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes] = queue.Queue(BACKLOG)
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        # Whoever logs goes on, whatever fails: the format, the queue, a thread that cannot start.
        with suppress(Exception):
            line = self.format(record).replace("\n", " | ")[:MAX_LINE] + "\n"
            self._lines.put_nowait(line.encode("utf-8", "backslashreplace"))
            self._start()

    def close(self) -> None:
        """Wait a moment for the last lines to be written."""
        deadline = time.monotonic() + 0.5
        while self._thread and self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)
        super().close()

    def _start(self) -> None:
        """Start the thread, unless that was done; where it cannot start, the next line tries."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
            thread.start()
            self._thread = thread

    def _work(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError):  # this line is lost; a later one may not be
                write_all(self._descriptor, line)
            self._lines.task_done()


def set_up(level: str, file: str | None) -> None:
    """Send the records of the whole process to stderr, or to a file private to its user."""
    handler: logging.Handler
    if file == os.devnull:
        handler = logging.NullHandler()
    else:
        handler = LineHandler() if file is None else LineHandler(_open(file))
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(form))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _open(path: str) -> int:
    """Open a log file and make it private to its user; make it if there is none.

    Raises
    ------
    OSError
        If it is not a regular file, which could block or lead elsewhere, or is another user's.
    """
    with suppress(FileNotFoundError):
        _check(path, os.lstat(path))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for name in ("O_NOFOLLOW", "O_NONBLOCK"):  # Windows has neither
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags, 0o600)
    status = os.fstat(descriptor)
    _check(path, status)
    if os.name == "posix" and status.st_mode & 0o077:
        os.fchmod(descriptor, 0o600)
    return descriptor


def _check(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is not a regular file")
    if os.name == "posix" and status.st_uid != os.geteuid():
        raise OSError(f"{path} belongs to another user")
