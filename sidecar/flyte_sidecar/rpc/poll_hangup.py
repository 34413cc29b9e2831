"""Noticing that nobody reads a descriptor any more, before anything is written to it."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from collections.abc import Callable


def on_hangup(descriptor: int, gone: Callable[[], None]) -> Callable[[], None]:
    """Call `gone` on the running loop once the other end is closed; returns what ends the watch.

    A file has no other end, and some systems cannot tell: there nothing is watched.
    """
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        return lambda: None
    if sys.platform != "linux":
        return _watch_bytes(loop, descriptor, gone)
    # An epoll that asks for nothing is told of the hanging up alone, and not of bytes that
    # come: those of a socket are not ours to read.
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


def _watch_bytes(
    loop: asyncio.AbstractEventLoop, descriptor: int, gone: Callable[[], None]
) -> Callable[[], None]:
    """Take the first thing that there would be to read for the end, if it looks like that."""
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
