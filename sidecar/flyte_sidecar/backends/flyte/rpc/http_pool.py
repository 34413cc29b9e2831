"""Connection pools for HTTP/1.1, over TCP connections that notice when their peer is gone.

Imports httpcore, which is only in the extra `flyte`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpcore

from flyte_sidecar.backends.flyte.address import join_host_port
from flyte_sidecar.backends.flyte.proxy import Proxy
from flyte_sidecar.backends.flyte.rpc import tunnel
from flyte_sidecar.backends.flyte.rpc.http_target import Target

IDLE_TIMEOUT = 15.0
"""Time after which an unused connection is closed, in seconds: less than servers use."""

KEEPALIVE_INTERVAL = 30
"""Time without data from the peer after which TCP probes it, in seconds."""

PROBE_INTERVAL = 5
"""Time between probes that are not acknowledged, in seconds."""

PROBES = 2
"""Probes that are not acknowledged after which the connection is broken."""

_KEEPALIVE_OPTIONS = [
    (socket.IPPROTO_TCP, number, value)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_INTERVAL),
        ("TCP_KEEPALIVE", KEEPALIVE_INTERVAL),  # the name on macOS
        ("TCP_KEEPINTVL", PROBE_INTERVAL),
        ("TCP_KEEPCNT", PROBES),
        # Limits, in milliseconds, also how long sent data may stay unacknowledged.
        ("TCP_USER_TIMEOUT", (KEEPALIVE_INTERVAL + PROBE_INTERVAL * PROBES) * 1000),
    )
    if (number := getattr(socket, name, None)) is not None
]
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *_KEEPALIVE_OPTIONS,
]

# At the level debug, httpcore logs the headers of responses.
_logger = logging.getLogger("httpcore")
if _logger.level == logging.NOTSET:
    _logger.setLevel(logging.WARNING)


class HttpPool:
    """Connections to one server, directly or through a proxy.

    httpcore's own pool inspects all connections for each request, and each open stream of events
    is one.
    """

    def __init__(self, target: Target, context: ssl.SSLContext | None) -> None:
        self._origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
        self._context = context
        self._network = _Network(target.proxy)
        self._idle: list[httpcore.AsyncHTTPConnection] = []  # in order of their last use
        self._open: set[httpcore.AsyncHTTPConnection] = set()

    @asynccontextmanager
    async def respond(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """Yield the response to a request; its connection is used again if it was read whole."""
        connection = await self._connection()
        try:
            response = await connection.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            if connection in self._open and connection.is_available():
                self._idle.append(connection)
            else:
                await self._close(connection)

    async def close(self) -> None:
        """Close all connections."""
        self._idle.clear()
        for connection in list(self._open):
            await self._close(connection)

    async def _connection(self) -> httpcore.AsyncHTTPConnection:
        """Return the connection that was used last, or a new one; close the expired ones."""
        while self._idle and self._idle[0].has_expired():
            await self._close(self._idle.pop(0))
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await self._close(connection)
        connection = httpcore.AsyncHTTPConnection(
            self._origin,
            ssl_context=self._context,
            keepalive_expiry=IDLE_TIMEOUT,
            network_backend=self._network,
            socket_options=SOCKET_OPTIONS,
        )
        self._open.add(connection)
        return connection

    async def _close(self, connection: httpcore.AsyncHTTPConnection) -> None:
        self._open.discard(connection)
        await connection.aclose()


class _Network(httpcore.AnyIOBackend):
    """Connects TCP streams, through a proxy if there is one.

    httpcore itself would let the proxy forward plaintext requests, while gRPC always connects
    through it. An HTTP proxy may hold back streams that it forwards.
    """

    def __init__(self, proxy: Proxy | None) -> None:
        self._proxy = proxy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        proxy = self._proxy
        there = (host, port) if proxy is None else (proxy.host, proxy.port)
        stream = _Stream(await super().connect_tcp(*there, timeout, local_address, socket_options))
        if proxy is not None:
            async with _closed_on_failure(stream):
                try:
                    async with asyncio.timeout(timeout):
                        await _open_tunnel(stream, proxy, host, port)
                except TimeoutError:
                    raise httpcore.ConnectTimeout("the proxy did not respond in time") from None
        return stream


class _Stream(httpcore.AsyncNetworkStream):
    """A TCP stream that is closed too if a TLS handshake on it is cancelled."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async with _closed_on_failure(self._stream):
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)


@asynccontextmanager
async def _closed_on_failure(stream: httpcore.AsyncNetworkStream) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await stream.aclose()
        raise


async def _open_tunnel(
    stream: httpcore.AsyncNetworkStream, proxy: Proxy, host: str, port: int
) -> None:
    await stream.write(tunnel.connect_request(proxy, join_host_port(host, port)))
    head = b""
    while not head.endswith(tunnel.END_OF_HEAD) and len(head) < tunnel.MAX_HEAD_BYTES:
        data = await stream.read(tunnel.MAX_HEAD_BYTES)
        if not data:
            break
        head += data
    tunnel.check_connected(head)
