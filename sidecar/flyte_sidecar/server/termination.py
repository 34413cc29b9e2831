"""The signals that end a long-lived process."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable


def on_termination(terminate: Callable[[], None], *, hangup: bool = False) -> None:
    """Call a function on the running loop at each SIGTERM and SIGINT, unless they are ignored.

    Parameters
    ----------
    hangup
        Whether to do so at SIGHUP too, where it exists: the terminal was closed.
    """
    loop = asyncio.get_running_loop()
    names = ("SIGTERM", "SIGINT", "SIGHUP") if hangup else ("SIGTERM", "SIGINT")
    for number in (signal.Signals[name] for name in names if hasattr(signal, name)):
        if signal.getsignal(number) is signal.SIG_IGN:
            continue  # it was ignored when the process started
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(terminate))
        else:
            loop.add_signal_handler(number, terminate)
