"""Non-blocking logging to stderr or a file.

The client may not read stderr. A thread therefore writes the lines. While it is blocked, lines
are queued up to a limit, then dropped. A line may quote text of a deployment, which must not
control a terminal.
"""

from __future__ import annotations

import logging
import os
import queue
import stat
import sys
import threading
import time
from contextlib import suppress

from flyte_sidecar.cli.standard_streams import write_all
from flyte_sidecar.events.plain_text import escape_unsafe

MAX_LINE_LENGTH = 2000
"""Characters; a longer line is truncated."""

MAX_QUEUED_LINES = 1000
"""Lines in the queue beyond which new ones are dropped."""

LOG_FLUSH_TIMEOUT = 0.5
"""Seconds to wait for the last lines to be written."""

_STDERR = 2


class LineHandler(logging.Handler):
    """Writes each record as a line to a descriptor, in a thread that may block."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes] = queue.Queue(MAX_QUEUED_LINES)
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        # The caller must not fail because of its log: not by a bad format or a full queue, nor
        # if no thread can be started.
        with suppress(Exception):
            text = self.format(record).replace("\n", " | ")[:MAX_LINE_LENGTH]
            self._lines.put_nowait(f"{escape_unsafe(text)}\n".encode())
            self._start()

    def close(self) -> None:
        """Wait up to `LOG_FLUSH_TIMEOUT` for the last lines to be written."""
        deadline = time.monotonic() + LOG_FLUSH_TIMEOUT
        while self._thread and self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)
        super().close()

    def _start(self) -> None:
        """Start the thread if it does not run; if that fails, the next line tries again."""
        if self._thread is None:
            thread = threading.Thread(target=self._write_lines, name="log-writer", daemon=True)
            thread.start()
            self._thread = thread

    def _write_lines(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError):  # only this line is lost
                write_all(self._descriptor, line)
            self._lines.task_done()


def set_up(level: str, file: str | None) -> None:
    """Write the log of the process to stderr, or to a file that only its user can read.

    Raises
    ------
    OSError
        If the file cannot be used.
    """
    handler: logging.Handler
    if file == os.devnull:
        handler = logging.NullHandler()
    else:
        handler = LineHandler(_STDERR if file is None else _open(file))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def check_writable(path: str) -> None:
    """Raise `OSError` if a file cannot be used for the log; nothing is created or opened."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        path = os.path.dirname(os.path.abspath(path))
        os.stat(path)
    else:
        _check_log_file(path, status)
    if not os.access(path, os.W_OK):
        raise PermissionError(f"there is no permission to write {path}")


def _open(path: str) -> int:
    """Open or create a log file that only its user can read.

    Raises
    ------
    OSError
        If it cannot be opened, is not a regular file (which could block, or be a link to another
        file), or belongs to another user.
    """
    try:
        return _open_checked(path)
    except OSError as error:
        raise OSError(f"cannot write the log: {error}") from None


def _open_checked(path: str) -> int:
    with suppress(FileNotFoundError):
        _check_log_file(path, os.lstat(path))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for name in ("O_NOFOLLOW", "O_NONBLOCK"):  # Windows has neither
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags, 0o600)
    status = os.fstat(descriptor)
    _check_log_file(path, status)
    if sys.platform != "win32" and status.st_mode & 0o077:
        os.fchmod(descriptor, 0o600)
    return descriptor


def _check_log_file(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is not a regular file")
    if sys.platform != "win32" and status.st_uid != os.geteuid():
        raise OSError(f"{path} belongs to another user")
