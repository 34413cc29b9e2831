"""Noticing that the process that started us is gone."""

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
    """Call `gone` on the running loop once the process has ended, reaped or not.

    A process that cannot be seen from here (one of another container) is not watched.
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
            pass  # a kernel without it, or a policy against it
        else:
            loop.add_reader(descriptor, _once, loop, descriptor, gone)
            return
    if sys.platform != "win32":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # another user's process, but there is one
    watching = threading.Thread(
        target=_wait, args=(pid, loop, gone), name="parent-watch", daemon=True
    )
    try:
        watching.start()
    except RuntimeError:  # no thread can be started: the end of input must do
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
            return  # there it was not looked for before
    except psutil.Error:
        return
    with suppress(RuntimeError):  # the loop is gone
        loop.call_soon_threadsafe(gone)
