"""pygls with a method that responds, and one that waits, for the conformance checks."""

from __future__ import annotations

import asyncio

from pygls.protocol import JsonRPCProtocol, default_converter
from pygls.server import JsonRPCServer

server = JsonRPCServer(JsonRPCProtocol, default_converter)


@server.feature("echo")
def echo(server: JsonRPCServer, params: object) -> object:
    return "echo"


@server.feature("slow")
async def slow(server: JsonRPCServer, params: object) -> object:
    await asyncio.Event().wait()


if __name__ == "__main__":
    server.start_io()
