"""The terminal that controls this process, on POSIX systems.

The terminal stays in the mode in which it is: its driver edits lines and turns Ctrl-C and Ctrl-Z
into signals. It is opened once more, because a flag such as O_NONBLOCK on an inherited descriptor
would also apply to the other processes that share it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
from contextlib import suppress
from typing import IO

from flyte_sidecar.local_runs.question import Size

DUMB = {"", "dumb", "unknown"}
"""Values of TERM for terminals without control sequences."""

MAX_UNWRITTEN = 1 << 16
"""Bytes that are kept for a terminal that is stopped by Ctrl-S."""


def is_available() -> bool:
    """Return whether this process may prompt: its streams are the terminal, in the foreground."""
    try:
        foreground = os.tcgetpgrp(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    outputs: list[IO[str] | None] = [sys.stdout, sys.stderr]
    return foreground == os.getpgrp() and any(map(is_tty, outputs))


def is_tty(stream: IO[str] | None) -> bool:
    """Return whether a standard stream is a terminal."""
    try:
        return stream is not None and os.isatty(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False


class Tty:
    """The controlling terminal, and a way to interrupt waiting for its input.

    Raises
    ------
    OSError
        If the process has no controlling terminal.
    """

    can_clear = os.environ.get("TERM", "") not in DUMB

    def __init__(self) -> None:
        self._fd = os.open("/dev/tty", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        self._encoding = getattr(sys.stdin, "encoding", None) or "utf-8"
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        self._incomplete = b""
        self._unwritten = b""

    def size(self) -> Size:
        size = os.get_terminal_size(self._fd)
        return Size(size.columns or 80, size.lines or 24)  # 0 means unknown

    def is_foreground(self) -> bool:
        """Return whether the process is in the foreground.

        Raises
        ------
        OSError
            After a hangup.
        """
        return os.tcgetpgrp(self._fd) == os.getpgrp()

    def prepare_thread(self) -> None:
        """Let reads in the background fail in this thread, instead of stopping the process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})

    def wake(self) -> None:
        """Interrupt `wait`."""
        with suppress(BlockingIOError):  # it is full of earlier wake-ups
            os.write(self._wake, b"\0")

    def wait(self, *, for_input: bool, timeout: float | None) -> bool:
        """Block for at most `timeout` seconds, and return whether there is input."""
        readable = [self._woken, self._fd] if for_input else [self._woken]
        writable = [self._fd] if self._unwritten else []
        ready, _, _ = select.select(readable, writable, [], timeout)
        if self._woken in ready:
            os.read(self._woken, 1 << 12)
        return self._fd in ready

    def has_input(self) -> bool:
        """Return whether there is a line, or the end of the input."""
        return bool(select.select([self._fd], [], [], 0)[0])

    def read_line(self) -> str | None:
        """Return a line that was typed; None if there is none.

        Raises
        ------
        EOFError
            At Ctrl-D on an empty line, or after a hangup.
        """
        try:
            data = os.read(self._fd, 1 << 12)
        except BlockingIOError:
            return None
        except OSError as error:
            if not self._is_background():
                raise EOFError from error
            return None
        if not data and not self._incomplete:
            raise EOFError
        self._incomplete += data
        if data and not data.endswith(b"\n"):
            return None
        line, self._incomplete = self._incomplete, b""
        return line.removesuffix(b"\n").decode(self._encoding, "surrogateescape")

    def discard_input(self) -> None:
        """Discard what was typed and not read."""
        self._incomplete = b""
        with suppress(termios.error):  # a hangup
            termios.tcflush(self._fd, termios.TCIFLUSH)

    def write(self, text: str) -> None:
        """Write a text as far as possible; `flush` writes the rest."""
        data = text.encode(self._encoding, "backslashreplace")
        if len(self._unwritten) + len(data) <= MAX_UNWRITTEN:
            self._unwritten += data
        self.flush()

    def flush(self) -> None:
        """Write what is not yet written, as far as that does not block."""
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]
        except BlockingIOError:
            return
        except OSError:  # a hangup
            self._unwritten = b""

    def _is_background(self) -> bool:
        try:
            return not self.is_foreground()
        except OSError:
            return False
