"""Connection pools for HTTP/1.1, over TCP connections that notice when their peer is gone.

Imports httpcore, which is only in the extra `flyte`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from flyte_sidecar.backends.flyte.proxy import Proxy
from flyte_sidecar.backends.flyte.rpc import tunnel

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
SOCKET_OPTIONS = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *_KEEPALIVE_OPTIONS]

# At the level debug, httpcore logs the headers of responses.
_logger = logging.getLogger("httpcore")
if _logger.level == logging.NOTSET:
    _logger.setLevel(logging.WARNING)


def open_pool(context: ssl.SSLContext, proxy: Proxy | None) -> httpcore.AsyncConnectionPool:
    """Return a pool that connects directly, or through the proxy."""
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_connections=None,  # the callers limit their requests
        keepalive_expiry=IDLE_TIMEOUT,
        network_backend=_Network(proxy),
        socket_options=SOCKET_OPTIONS,
    )


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
        stream = await super().connect_tcp(*there, timeout, local_address, socket_options)
        if proxy is not None:
            try:
                async with asyncio.timeout(timeout):
                    await _open_tunnel(stream, proxy, host, port)
            except TimeoutError:
                await stream.aclose()
                raise httpcore.ConnectTimeout("the proxy did not respond in time") from None
            except BaseException:
                await stream.aclose()
                raise
        return stream


async def _open_tunnel(
    stream: httpcore.AsyncNetworkStream, proxy: Proxy, host: str, port: int
) -> None:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    await stream.write(tunnel.connect_request(proxy, address))
    head = b""
    while not head.endswith(tunnel.END_OF_HEAD) and len(head) < tunnel.MAX_HEAD_BYTES:
        data = await stream.read(tunnel.MAX_HEAD_BYTES)
        if not data:
            break
        head += data
    tunnel.check_connected(head)
