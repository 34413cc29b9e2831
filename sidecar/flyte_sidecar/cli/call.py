"""One request without a client: `flyte-sidecar call METHOD [JSON]`."""

from __future__ import annotations

import asyncio
import sys
from codecs import BOM_UTF8

from msgspec import DecodeError, Raw, Struct, json

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.cli import standard_streams, terminal
from flyte_sidecar.protocol.results import Error
from flyte_sidecar.rpc.header_framing import HeaderDecoder
from flyte_sidecar.server.serve import Sidecar
from flyte_sidecar.server.settings import Options


class _Request(Struct):
    method: str
    params: Raw
    jsonrpc: str = "2.0"
    id: int = 1


class _Reply(Struct):
    id: int | None = None
    result: Raw = Raw(b"null")
    error: Error | None = None


class _Exchange:
    """The transport of a conversation that is one request and one reply."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[_Reply] = asyncio.get_running_loop().create_future()
        self._decoder = HeaderDecoder(sys.maxsize)

    def write(self, data: bytes) -> None:
        self._decoder.feed(data)
        while isinstance(message := self._decoder.next(), bytes):
            reply = json.decode(message, type=_Reply)
            if reply.id is not None:  # a watch sends notifications too
                try_set_result(self.reply, reply)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    async def drained(self) -> None: ...


def call(options: Options, method: str, params: str | None) -> int:
    """Send one request, print its result, and give the exit status."""
    standard_streams.require_stdout()
    text = standard_streams.read_stdin() if params == "-" else (params or "null").encode()
    text = text.removeprefix(BOM_UTF8)
    try:
        text.decode()
        json.decode(text, type=Raw)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _failed("parse_error", f"the params are not JSON: {error}")
    request = json.encode(_Request(method, Raw(text)))
    reply = asyncio.run(_exchange(options, request))
    if reply.error is not None:
        return _failed(reply.error.data.kind, reply.error.message)
    result = json.format(terminal.sanitize_json(bytes(reply.result)), indent=2)
    sys.stdout.buffer.write(result + b"\n")
    return 0


async def _exchange(options: Options, request: bytes) -> _Reply:
    exchange = _Exchange()
    sidecar = Sidecar(options)
    connection = sidecar.connection
    connection.connection_made(exchange)
    try:
        connection.data_received(HeaderDecoder().frame(request))
        return await exchange.reply
    finally:
        connection.eof_received()
        await sidecar.ended()


def _failed(kind: str, message: str) -> int:
    print(terminal.sanitize(f"{kind}: {message}"), file=sys.stderr)
    return 1
