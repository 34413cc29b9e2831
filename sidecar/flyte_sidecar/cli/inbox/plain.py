"""The plain mode, for screen readers: lines are appended, and commands are typed.

Nothing is drawn again and nothing is coloured. A line that is too long for the terminal continues
on lines that begin with spaces, and lines of a prompt begin with a mark. So other people's text
cannot look like a line of the inbox.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from flyte_sidecar.cli.inbox.plain_inbox import PlainInbox
from flyte_sidecar.cli.inbox.session import open_session
from flyte_sidecar.rpc.read_fd import read_fd
from flyte_sidecar.server.settings import Options


async def run_plain(options: Options) -> int:
    """Print the events and read commands until the user quits; return the exit status."""
    ended = asyncio.Event()
    inbox = PlainInbox(lambda line: print(line, flush=True), ended.set)
    with suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
    async with open_session(options, inbox) as session:
        inbox.start(session)
        reader = read_fd(0, _Lines(inbox.command, ended.set))
        reader.resume()
        await ended.wait()
        reader.pause()
        if session.unfinished:
            inbox.say("Waiting for the result of what was sent.")
            await session.finish()  # the inbox says the results
    return 0


class _Lines:
    """Receives typed lines."""

    def __init__(self, on_line: Callable[[str], None], on_end: Callable[[], None]) -> None:
        self._on_line = on_line
        self._on_end = on_end
        # A console of Windows has an encoding of its own.
        self._encoding = os.device_encoding(0) or "utf-8"
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line.decode(self._encoding, "replace").rstrip("\r"))

    def eof_received(self) -> None:
        self._on_end()
