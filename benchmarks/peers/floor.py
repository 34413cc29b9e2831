"""The floor: an asyncio protocol with msgspec, without a framework and without any work.

Responds to every request, one JSON text per line, with the object in the file that its argument
names.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec


class Request(msgspec.Struct):
    id: int
    method: str
    params: object = None


class Response(msgspec.Struct):
    jsonrpc: str
    id: int
    result: msgspec.Struct


class Floor(asyncio.Protocol):
    def __init__(self, result: msgspec.Struct, output: asyncio.WriteTransport) -> None:
        self._result = result
        self._output = output
        self._rest = b""
        self._decode = msgspec.json.Decoder(Request).decode
        self._encode = msgspec.json.Encoder().encode
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._output.write(b"".join(map(self._answer, lines)))

    def eof_received(self) -> None:
        self.ended.set_result(None)

    def _answer(self, line: bytes) -> bytes:
        request = self._decode(line)
        return self._encode(Response("2.0", request.id, self._result)) + b"\n"


async def serve(event: dict[str, object]) -> None:
    result = msgspec.defstruct("Event", list(event))(**event)
    loop = asyncio.get_running_loop()
    output, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout)
    _, floor = await loop.connect_read_pipe(lambda: Floor(result, output), sys.stdin)
    await floor.ended


if __name__ == "__main__":
    asyncio.run(serve(msgspec.json.decode(Path(sys.argv[1]).read_bytes())))
