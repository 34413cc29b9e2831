"""A sidecar put together: the streams, the connection, the methods and a backend."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flyte_sidecar._version import VERSION
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.rpc.connection import Connection
from flyte_sidecar.rpc.parent_process import watch_parent
from flyte_sidecar.rpc.shutdown import Shutdown
from flyte_sidecar.rpc.stdio import StdioTransport
from flyte_sidecar.server.handlers import MethodHandlers
from flyte_sidecar.server.settings import Options, make_backend

logger = logging.getLogger(__name__)

BACKEND_CLOSE_TIMEOUT = 2.0
"""Seconds that the backend is given to close."""


class Sidecar:
    """One connection over one backend; made on a running loop."""

    def __init__(self, options: Options) -> None:
        self.backend = make_backend(options)
        methods = MethodHandlers(EventService(self.backend), VERSION, self._watch)
        self.connection = Connection(
            methods.handlers(),
            encode,
            framing=options.framing,
            max_message_bytes=options.max_message_bytes,
        )
        methods.connection = self.connection
        self.lifecycle = Shutdown(self.connection)
        if options.parent_pid is not None:
            self._watch(options.parent_pid)

    def _watch(self, pid: int) -> None:
        watch_parent(pid, self.lifecycle.end_now)

    async def ended(self) -> int:
        """Wait for the end, let go of the backend, and give the exit status."""
        status = await self.lifecycle.ended
        patience = 0 if self.lifecycle.at_once else BACKEND_CLOSE_TIMEOUT
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.backend.close(), patience)
        return status


def run(options: Options, stdin: int, stdout: int) -> int:
    """Serve the client at the other end of two descriptors; returns the exit status."""
    status = None
    try:
        with asyncio.Runner() as runner:
            status = runner.run(serve(options, stdin, stdout))
    except RuntimeError:
        if status is None:
            raise
        # All is answered, and only the thread that would end the other threads cannot start.
    return status


async def serve(options: Options, stdin: int, stdout: int) -> int:
    """Serve on the running loop; returns the exit status."""
    asyncio.get_running_loop().set_exception_handler(_note_fault)
    sidecar = Sidecar(options)
    _on_signals(sidecar.lifecycle.terminate)
    transport = StdioTransport(stdin, stdout, sidecar.connection)
    try:
        return await sidecar.ended()
    finally:
        transport.close()


def _note_fault(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody caught, without its words: they may hold a payload."""
    fault = context.get("exception")
    logger.error("unexpected fault: %s", type(fault).__name__)
    logger.debug("%s", context.get("message"), exc_info=fault)


def _on_signals(terminate: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            continue  # it was ignored from the start
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(terminate))
        else:
            loop.add_signal_handler(number, terminate)
