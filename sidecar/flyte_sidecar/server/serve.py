"""Serving: assembles the streams, the connection, the methods and a backend."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flyte_sidecar._version import VERSION
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.rpc.connection import Connection
from flyte_sidecar.rpc.stdio import StdioTransport
from flyte_sidecar.server.backends import Backends
from flyte_sidecar.server.client_prompt import ClientPrompt
from flyte_sidecar.server.handlers import MethodHandlers
from flyte_sidecar.server.settings import Options
from flyte_sidecar.server.termination import on_termination

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import LoginPrompt

logger = logging.getLogger(__name__)

BACKEND_CLOSE_TIMEOUT = 2.0
"""Seconds that the backends may take to close."""


class Sidecar:
    """One connection. Requires a running event loop.

    Parameters
    ----------
    prompt
        Returns what shows logins to a person; None: the client does.
    """

    def __init__(self, options: Options, prompt: Callable[[], LoginPrompt] | None = None) -> None:
        logins = ClientPrompt(
            lambda method, params: self.connection.notify(method, params),
            lambda by: self.connection.runner.count_long_waits(by),
        )
        self._backends = Backends(
            options,
            requests=lambda: self.connection.runner.tasks,
            prompt=prompt or (lambda: logins),
        )
        self._methods = MethodHandlers(self._backends, logins, VERSION)
        self.connection = Connection(
            self._methods.handlers(),
            encode,
            snapshot=self._backends.snapshot,
            framing=options.framing,
            max_message_bytes=options.max_message_bytes,
        )
        self.shutdown = self.connection.shutdown
        if options.parent_pid is not None:
            self.shutdown.end_with_process(options.parent_pid)

    async def ended(self) -> int:
        """Wait for the end of the connection, close the backends, and return the exit status."""
        status = await self.shutdown.ended
        await self._backends.settle()
        timeout = 0 if self.shutdown.at_once else BACKEND_CLOSE_TIMEOUT
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._close(), timeout)
        return status

    async def _close(self) -> None:
        await self._methods.close()
        await self._backends.close()


def run(options: Options, stdin: int, stdout: int) -> int:
    """Serve the client at the other end of two descriptors, and return the exit status."""
    status = None
    try:
        with asyncio.Runner() as runner:
            status = runner.run(serve(options, stdin, stdout))
    except RuntimeError:
        if status is None:
            raise
        # All requests are answered. Only the thread that joins the other threads cannot start.
    return status


async def serve(options: Options, stdin: int, stdout: int) -> int:
    """Serve on the running loop, and return the exit status."""
    asyncio.get_running_loop().set_exception_handler(_log_unhandled)
    sidecar = Sidecar(options)
    on_termination(sidecar.shutdown.terminate)
    transport = StdioTransport(stdin, stdout, sidecar.connection)
    try:
        return await sidecar.ended()
    finally:
        transport.close()


def _log_unhandled(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception that nothing handled, without its message: that may contain a payload."""
    error = context.get("exception")
    logger.error("unexpected error: %s", type(error).__name__)
    logger.debug("%s", context.get("message"), exc_info=error)
