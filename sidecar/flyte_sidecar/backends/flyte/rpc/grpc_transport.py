"""The transport over gRPC."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

# Read when gRPC's C core starts. The core must not write to the terminal. Its own resolver does not
# support split DNS, as VPNs use it.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_DNS_RESOLVER", "native")

import grpc
from google.protobuf.message import Message
from grpc import aio

from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.rpc.call_limiter import CallLimiter
from flyte_sidecar.backends.flyte.rpc.decoding import MAX_MESSAGE_BYTES, decode
from flyte_sidecar.backends.flyte.rpc.error_translation import NOT_PINNED
from flyte_sidecar.backends.flyte.rpc.rpc_transport import (
    ConnectionClosed,
    Metadata,
    Protocol,
    RpcError,
    RpcMethod,
)
from flyte_sidecar.backends.flyte.rpc.tls import TlsTrust

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

KEEPALIVE_INTERVAL = 30.0
"""Time without data from the server after which it is pinged while calls are open, in seconds."""

KEEPALIVE_TIMEOUT = 10.0
"""Time for the response to a ping before the connection counts as broken, in seconds."""

CONNECT_TIMEOUT = 10.0
"""Time for one attempt to connect, including the TLS handshake, in seconds."""

RECONNECT_BACKOFF = (0.1, 5.0)
"""Time before the first attempt to reconnect, and the maximum before later ones, in seconds."""

STREAMS_PER_CONNECTION = 80
"""Maximum number of open streams on one connection."""

MAX_STREAMS = 1000
"""Maximum number of streams that stay open, over several HTTP/2 connections."""

UNCOMPRESSED = 1 << 0
"""The only encoding offered. With others, grpcio 1.85.3 delivers some messages still compressed."""

CLOSE_CHECKS = 500
"""Maximum number of checks, a millisecond apart, whether the calls of a closed channel ended."""


class _Connection:
    """A channel that shares its HTTP/2 connection with no other channel.

    Attributes
    ----------
    streams
        How many streams are open on it.
    """

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.streams = 0

    async def close(self) -> Any:
        """Cancel all calls, and return the channel's C core."""
        await self.channel.close()
        return self.channel._channel  # type: ignore[attr-defined]  # its end is not public


class GrpcTransport:
    """A `RpcTransport` over channels of grpc.aio: one for all calls, and more for many streams.

    Parameters
    ----------
    open_channel
        Opens a channel, which must share its connection with no other channel.
    pinned
        Whether the channels trust only the certificate that the server had at first.
    """

    protocol: Protocol = "gRPC"
    max_streams = MAX_STREAMS

    def __init__(self, open_channel: Callable[[], aio.Channel], *, pinned: bool = False) -> None:
        self._open_channel = open_channel
        self._pinned = pinned
        self._connections = [_Connection(open_channel())]
        self._limiter = CallLimiter()

    async def call(self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata) -> R:
        async def respond() -> Any:
            method: Any = self._open_connections()[0].channel.unary_unary(rpc.path)
            return await method(request.SerializeToString(), timeout=timeout, metadata=metadata)

        async with self._limiter.slot(rpc):
            # Without an own decoder, grpc.aio would log a traceback and return None.
            return decode(rpc, await _translated(respond, self._pinned))

    async def stream(
        self, rpc: RpcMethod[Q, R], request: Q, metadata: Metadata
    ) -> AsyncGenerator[R, None]:
        async def start() -> Any:
            connection = self._connection_for_stream()
            method: Any = connection.channel.unary_stream(rpc.path)
            return connection, method(request.SerializeToString(), metadata=metadata)

        connection, call = await _translated(start, self._pinned)
        connection.streams += 1
        try:
            while (data := await _translated(call.read, self._pinned)) is not aio.EOF:
                yield decode(rpc, data)
        finally:
            call.cancel()
            connection.streams -= 1
            del call, connection

    async def close(self) -> None:
        """Cancel all calls, and wait until the C core has stopped its threads.

        A fork while they run would break the child process. The core stops with its last channel,
        and a channel is freed after its last call.
        """
        connections, self._connections = self._connections, []
        cores = []
        while connections:
            cores.append(await connections.pop().close())
        gc.collect()
        for _ in range(CLOSE_CHECKS):
            cores = [core for core in cores if sys.getrefcount(core) > 3]
            if not cores:
                break
            await asyncio.sleep(0.001)
            gc.collect(0)

    def _open_connections(self) -> list[_Connection]:
        if not self._connections:
            raise ConnectionClosed
        return self._connections

    def _connection_for_stream(self) -> _Connection:
        """Return the first connection below its limit of streams; open one if there is none."""
        connections = self._open_connections()
        for connection in connections:
            if connection.streams < STREAMS_PER_CONNECTION:
                return connection
        connections.append(_Connection(self._open_channel()))
        return connections[-1]


def connect(deployment: Deployment, user_agent: str, trust: TlsTrust | None) -> GrpcTransport:
    """Return a transport, which connects at its first call; `trust` is None without TLS."""
    options: list[tuple[str, Any]] = [
        ("grpc.primary_user_agent", user_agent),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.compression_enabled_algorithms_bitset", UNCOMPRESSED),
        ("grpc.keepalive_time_ms", _milliseconds(KEEPALIVE_INTERVAL)),
        ("grpc.keepalive_timeout_ms", _milliseconds(KEEPALIVE_TIMEOUT)),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", _milliseconds(RECONNECT_BACKOFF[0])),
        # Despite its name, the timeout of an attempt.
        ("grpc.min_reconnect_backoff_ms", _milliseconds(CONNECT_TIMEOUT)),
        ("grpc.max_reconnect_backoff_ms", _milliseconds(RECONNECT_BACKOFF[1])),
        ("grpc.enable_retries", 0),  # only the caller knows which calls may be retried
        # Channels with equal options would share one connection.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if deployment.proxy is None:
        options.append(("grpc.enable_http_proxy", 0))
    else:
        options.append(("grpc.http_proxy", deployment.proxy.url))
    target = f"dns:///{deployment.address}"
    if trust is None:
        return GrpcTransport(lambda: aio.insecure_channel(target, options))
    if trust.host_name is not None:
        options.append(("grpc.ssl_target_name_override", trust.host_name))
        # Together with this override, the C core accepts only an authority without port.
        options.append(("grpc.default_authority", split_endpoint(deployment.address)[0]))
    credentials = grpc.ssl_channel_credentials(root_certificates=trust.root_certificates)
    return GrpcTransport(
        lambda: aio.secure_channel(target, credentials, options), pinned=trust.pinned
    )


async def _translated(step: Callable[[], Any], pinned: bool) -> Any:
    """Return the result of one step of a call; raise `RpcError` if the step fails.

    The error references no frame of gRPC's, which would keep the channel open.
    """
    failure: BaseException
    try:
        return await step()
    except aio.AioRpcError as error:
        message = error.details() or ""
        if pinned and "CERTIFICATE_VERIFY_FAILED" in message:
            message = f"{NOT_PINNED}: {message}"
        failure = RpcError(error.code().name, message)
    except aio.UsageError as error:
        failure = RpcError("CANCELLED", str(error))
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            failure = asyncio.CancelledError()
        else:
            # Our task was not cancelled: the channel was closed during the call.
            failure = ConnectionClosed()
    del step  # the error references this frame
    raise failure


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
