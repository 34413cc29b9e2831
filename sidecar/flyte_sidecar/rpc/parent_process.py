"""Detecting that the parent process has ended."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)


def watch_parent(pid: int, gone: Callable[[], None]) -> None:
    """Call `gone` on the running loop when the process has ended, even if it is a zombie.

    A process that is not visible (in another container) is not monitored.
    """
    loop = asyncio.get_running_loop()
    if not 0 < pid < 1 << 31:
        return
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError:
            pass  # not supported by the kernel, or forbidden
        else:
            loop.add_reader(descriptor, _once, loop, descriptor, gone)
            return
    if sys.platform != "win32":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # the process exists and belongs to another user
    watching = threading.Thread(
        target=_wait, args=(pid, loop, gone), name="parent-watch", daemon=True
    )
    try:
        watching.start()
    except RuntimeError:  # no thread can be started: only the end of input ends the sidecar
        with suppress(Exception):
            logger.warning("the process %d is not monitored: no thread can be started", pid)


def _once(loop: asyncio.AbstractEventLoop, descriptor: int, gone: Callable[[], None]) -> None:
    loop.remove_reader(descriptor)
    os.close(descriptor)
    gone()


def _wait(pid: int, loop: asyncio.AbstractEventLoop, gone: Callable[[], None]) -> None:
    import psutil  # kqueue on the BSDs, a process handle on Windows

    try:
        psutil.Process(pid).wait()
    except psutil.NoSuchProcess:
        if sys.platform == "win32":
            return  # its existence was not checked above
    except psutil.Error:
        return
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(gone)
