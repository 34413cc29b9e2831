"""Detecting that the other end of a descriptor was closed, without writing to it."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from collections.abc import Callable


def on_hangup(descriptor: int, gone: Callable[[], None]) -> Callable[[], None]:
    """Call `gone` on the running loop when the other end is closed.

    Return a function that stops the polling. `gone` is never called for files, and on systems that
    cannot detect a hangup.
    """
    loop = asyncio.get_running_loop()
    if sys.platform != "linux":
        return _poll_input(loop, descriptor, gone)
    # An epoll without events reports only the hangup. Incoming bytes of a socket are left to the
    # reader of the descriptor.
    hangup = select.epoll()
    try:
        hangup.register(descriptor, 0)
    except PermissionError:
        hangup.close()
        return lambda: None

    def stop() -> None:
        if not hangup.closed:
            loop.remove_reader(hangup.fileno())
            hangup.close()

    def ready() -> None:
        stop()
        gone()

    loop.add_reader(hangup.fileno(), ready)
    return stop


def _poll_input(
    loop: asyncio.AbstractEventLoop, descriptor: int, gone: Callable[[], None]
) -> Callable[[], None]:
    """Check for a hangup when the descriptor first becomes readable."""
    if sys.platform == "win32":
        return lambda: None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISSOCK(mode) and not stat.S_ISFIFO(mode):
        return lambda: None

    def stop() -> None:
        loop.remove_reader(descriptor)

    def ready() -> None:
        stop()
        ends = select.poll()
        ends.register(descriptor, 0)
        if ends.poll(0):
            gone()

    loop.add_reader(descriptor, ready)
    return stop
