"""HTTP servers on local ports whose responses are bytes that a test chooses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trustme
from msgspec import Struct

Respond = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


class Request(Struct):
    line: str
    headers: dict[str, str]
    body: bytes


class Requests(Struct):
    """What a server received, and its port.

    Attributes
    ----------
    disconnected
        Set when a client has disconnected.
    """

    port: int
    received: list[Request]
    disconnected: asyncio.Event
    connections: int = 0


@asynccontextmanager
async def http_server(
    respond: Respond | bytes, certificate: trustme.LeafCert | None = None
) -> AsyncIterator[Requests]:
    """Serve HTTP/1.1 until the block ends.

    Parameters
    ----------
    respond
        Writes the response to a request; or the response itself, as bytes. After it the connection
        is kept open.
    """
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
    requests = Requests(0, [], asyncio.Event())
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.connections += 1
        try:
            while True:
                request = await read_request(reader)
                requests.received.append(request)
                if isinstance(respond, bytes):
                    writer.write(respond)
                else:
                    await respond(request, writer)
                await writer.drain()
        except (ConnectionError, EOFError, ssl.SSLError):
            pass
        finally:
            requests.disconnected.set()
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    requests.port = server.sockets[0].getsockname()[1]
    try:
        yield requests
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.rstrip().split("\r\n")
    headers = {}
    for header in rest:
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line, headers, body)


def response(
    body: bytes, content_type: str = "application/json", status: str = "200 OK", more: str = ""
) -> bytes:
    """Return a complete HTTP response."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body
