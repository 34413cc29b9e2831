"""The controlling terminal of this process, on POSIX systems.

The terminal's driver edits lines and turns Ctrl-C and Ctrl-Z into signals; that stays so. The
terminal is opened once more, because O_NONBLOCK on an inherited descriptor would also apply to the
other processes that share it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
from contextlib import suppress
from typing import IO

from flyte_sidecar.local_runs.terminal.terminal_device import Size, is_tty

assert sys.platform != "win32"  # type checkers skip this module on Windows

DUMB = {"", "dumb", "unknown"}
"""Values of TERM of terminals without control sequences."""

MAX_UNWRITTEN = 1 << 16
"""Bytes that are kept for a terminal that is stopped by Ctrl-S."""


def is_available() -> bool:
    """Return whether stdin and an output are the terminal, with this process in its foreground."""
    try:
        foreground = os.tcgetpgrp(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    outputs: list[IO[str] | None] = [sys.stdout, sys.stderr]
    return foreground == os.getpgrp() and any(map(is_tty, outputs))


class PosixTerminal:
    """A `TerminalDevice`.

    Raises
    ------
    OSError
        If the process has no controlling terminal.
    """

    def __init__(self) -> None:
        self.can_clear = os.environ.get("TERM", "") not in DUMB
        self._fd = os.open("/dev/tty", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        self._encoding = getattr(sys.stdin, "encoding", None) or "utf-8"
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        self._reading = threading.RLock()
        self._incomplete = b""
        self._unwritten = b""

    def size(self) -> Size:
        size = os.get_terminal_size(self._fd)
        return Size(size.columns or 80, size.lines or 24)  # 0 means unknown

    def is_foreground(self) -> bool:
        if getattr(sys.stdin, "closed", sys.stdin is None):
            raise EOFError
        return os.tcgetpgrp(self._fd) == os.getpgrp()

    def prepare_thread(self) -> None:
        # Reads in the background then fail, instead of stopping the process.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})

    def wake(self) -> None:
        with suppress(BlockingIOError):  # it is full of earlier wake-ups
            os.write(self._wake, b"\0")

    def wait(self, *, for_input: bool, timeout: float | None) -> bool:
        readable = [self._woken, self._fd] if for_input else [self._woken]
        writable = [self._fd] if self._unwritten else []
        ready, _, _ = select.select(readable, writable, [], timeout)
        if self._woken in ready:
            os.read(self._woken, 1 << 12)
        return self._fd in ready

    def has_input(self) -> bool:
        return bool(select.select([self._fd], [], [], 0)[0])

    def read_line(self) -> str | None:
        with self._reading:
            return self._read_line()

    def discard_input(self) -> str:
        with self._reading, suppress(termios.error):  # a hangup
            return self._discard_input()
        return ""

    def write(self, text: str) -> None:
        data = text.encode(self._encoding, "backslashreplace")
        if len(self._unwritten) + len(data) <= MAX_UNWRITTEN:
            self._unwritten += data
        self.flush()

    def flush(self) -> None:
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]
        except BlockingIOError:
            return
        except OSError:  # a hangup
            self._unwritten = b""

    def _read_line(self) -> str | None:
        try:
            data = os.read(self._fd, 1 << 12)
        except BlockingIOError:
            return None
        except OSError:
            if self.is_foreground():
                raise
            return None
        if not data and not self._incomplete:
            raise EOFError
        self._incomplete += data
        if data and not data.endswith(b"\n"):
            return None
        line, self._incomplete = self._incomplete, b""
        return self._decode(line)

    def _discard_input(self) -> str:
        typed, self._incomplete = self._incomplete, b""
        modes = termios.tcgetattr(self._fd)
        # An incomplete line can be read only while the driver does not edit lines.
        raw = [*modes[:3], modes[3] & ~termios.ICANON, *modes[4:]]
        termios.tcsetattr(self._fd, termios.TCSANOW, raw)
        try:
            with suppress(OSError):  # nothing was typed
                typed += os.read(self._fd, 1 << 16)
        finally:
            termios.tcsetattr(self._fd, termios.TCSANOW, modes)
            termios.tcflush(self._fd, termios.TCIFLUSH)
        return self._decode(typed)

    def _decode(self, typed: bytes) -> str:
        return typed.decode(self._encoding, "surrogateescape")
