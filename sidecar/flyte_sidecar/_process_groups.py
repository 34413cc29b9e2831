"""Ending a child process together with its own children."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress


def kill_group(pid: int) -> None:
    """Kill a process that was started in a session of its own, and its children."""
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            import psutil

            with suppress(psutil.NoSuchProcess):
                command = psutil.Process(pid)
                for process in (*command.children(recursive=True), command):
                    process.kill()
        else:
            os.killpg(pid, signal.SIGKILL)
