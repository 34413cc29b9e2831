"""Detects output to a terminal that bypasses Python's streams, such as that of child processes."""

from __future__ import annotations

import ctypes
import os
import sys

IN_MODIFY = 2


class DirectOutput:
    """Watches what is written to terminals. Linux reports that (inotify); elsewhere this is blind.

    The descriptors that processes inherit are watched, by the file behind them. What is written
    through `/dev/tty`, which is another file, is not reported.
    """

    def __init__(self) -> None:
        self._fd = -1
        if sys.platform == "linux":
            libc = ctypes.CDLL(None)
            self._add_watch = libc.inotify_add_watch
            self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def watch(self, descriptor: int) -> None:
        """Watch the terminal behind a descriptor too."""
        if sys.platform == "linux" and self._fd >= 0:
            self._add_watch(self._fd, f"/proc/self/fd/{descriptor}".encode(), IN_MODIFY)

    def seen(self) -> bool:
        """Return whether there was output since the last call."""
        try:
            return self._fd >= 0 and bool(os.read(self._fd, 1 << 12))
        except BlockingIOError:
            return False
