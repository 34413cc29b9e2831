"""A client of a sidecar in the same process, for verbs that make one request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Raw, Struct, json

from flyte_sidecar.cli.terminal_login_prompt import TerminalLoginPrompt
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.protocol.results import Error
from flyte_sidecar.rpc.header_framing import HeaderDecoder
from flyte_sidecar.rpc.memory_transport import MemoryTransport
from flyte_sidecar.server.serve import Sidecar
from flyte_sidecar.server.settings import Options

REQUEST_ID = 1


class Response(Struct):
    """The response to the request."""

    result: Raw = Raw(b"null")
    error: Error | None = None


class _Request(Struct):
    method: str
    params: Raw
    jsonrpc: str = "2.0"
    id: int = REQUEST_ID


class _Notification(Struct):
    method: str
    params: Raw
    jsonrpc: str = "2.0"


class _Method(Struct):
    method: str | None = None


class InProcessClient:
    """The only client of a sidecar in this process.

    Attributes
    ----------
    connection
        The sidecar's side of the connection.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self.connection = sidecar.connection
        self.transport = MemoryTransport(self.connection)
        self._ended = sidecar.shutdown.ended
        self._decoder = HeaderDecoder(sys.maxsize)

    def request(self, method: str, params: Raw) -> None:
        """Send the request."""
        message = json.encode(_Request(method, params))
        self.connection.data_received(HeaderDecoder.frame(message))

    def cancel(self) -> None:
        """Cancel the request; after its response, this has no effect."""
        params = Raw(json.encode({"id": REQUEST_ID}))
        message = json.encode(_Notification("$/cancelRequest", params))
        self.connection.data_received(HeaderDecoder.frame(message))

    async def receive(self) -> bytes | Response:
        """Wait for the next notification, or for the response.

        Raises
        ------
        BrokenPipeError
            If the connection ends before the response.
        """
        while not isinstance(message := self._decoder.next(), bytes):
            readable = asyncio.ensure_future(self.transport.wait_readable())
            first: set[asyncio.Future[Any]] = {readable, self._ended}
            try:
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            finally:
                readable.cancel()
            data = self.transport.read()
            if not data:
                raise BrokenPipeError
            self._decoder.feed(data)
        if json.decode(message, type=_Method).method is not None:
            return message
        return json.decode(message, type=Response)


def fail(error: Error) -> int:
    """Print the error of a response, and return the exit status."""
    sys.stderr.write(sanitize(f"{error.data.kind}: {error.message}") + "\n")
    return 1


@asynccontextmanager
async def in_process_client(options: Options) -> AsyncIterator[InProcessClient]:
    """Start a sidecar, and end it with the block."""
    sidecar = Sidecar(options, TerminalLoginPrompt)
    client = InProcessClient(sidecar)
    try:
        yield client
    finally:
        client.cancel()  # otherwise, its end is waited for: of a login by a person, for instance
        client.transport.discard()
        client.connection.eof_received()
        await sidecar.ended()
