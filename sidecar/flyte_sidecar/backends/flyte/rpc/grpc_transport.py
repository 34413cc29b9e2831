"""Calls over gRPC."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

# Read when the C core starts: nothing of it may reach a terminal.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from google.protobuf.message import DecodeError, Message
from grpc import aio

from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.rpc import tls
from flyte_sidecar.backends.flyte.rpc.transport import (
    InvalidResponse,
    Metadata,
    RpcError,
    RpcMethod,
)
from flyte_sidecar.events.write_order import is_abandoned, is_writing

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

logger = logging.getLogger(__name__)

KEEPALIVE = 30.0
"""Seconds without a sign of the server after which it is asked for one, while calls are open."""

KEEPALIVE_PATIENCE = 10.0
"""Seconds that it is then given before the connection counts as broken."""

CONNECT = 10.0
"""Seconds that an attempt to connect is given, the TLS handshake included."""

RECONNECT = (0.1, 5.0)
"""Seconds before the first attempt to connect again, and at most before a later one."""

STREAMS = 80
"""Streams on one connection at most."""

CALLS = 130
"""Calls at once that are no streams.

Go's HTTP/2 server accepts 250 of both on a connection. It resets those beyond, as long as it has
not announced its limit; later ones wait inside gRPC, where their deadline runs.
"""

WRITE_CALLS = 20
"""Calls at once beside these that writes make, so that none waits for the reads of a listing."""

MAX_MESSAGE_BYTES = 32 << 20
"""The largest message accepted: ten times the largest payload that the backend stores."""

UNCOMPRESSED = 1 << 0
"""The only encoding offered. With others, grpcio 1.85.3 delivers some messages still compressed."""

LOOKS = 500
"""Looks, a millisecond apart, at whether a closed channel's calls have ended."""


class _Connection:
    """One channel with an HTTP/2 connection of its own.

    Attributes
    ----------
    streams
        How many streams are open on it.
    """

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.streams = 0

    async def close(self) -> Any:
        """End every call, and return the channel's core."""
        await self.channel.close()
        return self.channel._channel  # type: ignore[attr-defined]  # nothing public tells of its end


class GrpcTransport:
    """Channels of grpc.aio: one for all calls, and more as streams fill them.

    Parameters
    ----------
    open_channel
        Opens a channel, which must share its connection with no other channel.
    """

    def __init__(self, open_channel: Callable[[], aio.Channel]) -> None:
        self._open_channel = open_channel
        self._connections = [_Connection(open_channel())]
        self._calls = asyncio.Semaphore(CALLS)
        self._write_calls = asyncio.Semaphore(WRITE_CALLS)

    async def call(self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata) -> R:
        async def answered() -> Any:
            method: Any = self._open_connections()[0].channel.unary_unary(rpc.path)
            return await method(request.SerializeToString(), timeout=timeout, metadata=metadata)

        async with self._write_calls if is_writing() else self._calls:
            if rpc.writes and is_abandoned():
                raise asyncio.CancelledError
            return _decode(rpc, await _told(answered))

    async def stream(
        self, rpc: RpcMethod[Q, R], request: Q, metadata: Metadata
    ) -> AsyncGenerator[R, None]:
        async def begun() -> Any:
            connection = self._for_stream()
            method: Any = connection.channel.unary_stream(rpc.path)
            return connection, method(request.SerializeToString(), metadata=metadata)

        connection, call = await _told(begun)
        connection.streams += 1
        try:
            while (data := await _told(call.read)) is not aio.EOF:
                yield _decode(rpc, data)
        finally:
            call.cancel()
            connection.streams -= 1
            del call, connection

    async def close(self) -> None:
        """End every call, and let go of the C core: a fork beside its threads breaks the child.

        The core ends with its last channel, and a channel with the last call on it.
        """
        connections, self._connections = self._connections, []
        cores = []
        while connections:
            cores.append(await connections.pop().close())
        gc.collect()
        for _ in range(LOOKS):
            cores = [core for core in cores if sys.getrefcount(core) > 3]
            if not cores:
                break
            await asyncio.sleep(0.001)
            gc.collect(0)

    def _open_connections(self) -> list[_Connection]:
        if not self._connections:
            raise aio.UsageError("the connection was closed")
        return self._connections

    def _for_stream(self) -> _Connection:
        """Return the first connection that can take another stream; open one if there is none."""
        connections = self._open_connections()
        for connection in connections:
            if connection.streams < STREAMS:
                return connection
        connections.append(_Connection(self._open_channel()))
        return connections[-1]


async def connect(deployment: Deployment, user_agent: str) -> GrpcTransport:
    """Make the channel; it connects with the first call.

    Raises
    ------
    RpcError
        If what it is to trust cannot be had.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.primary_user_agent", user_agent),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.compression_enabled_algorithms_bitset", UNCOMPRESSED),
        ("grpc.keepalive_time_ms", _milliseconds(KEEPALIVE)),
        ("grpc.keepalive_timeout_ms", _milliseconds(KEEPALIVE_PATIENCE)),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", _milliseconds(RECONNECT[0])),
        ("grpc.min_reconnect_backoff_ms", _milliseconds(CONNECT)),  # called so, it means that
        ("grpc.max_reconnect_backoff_ms", _milliseconds(RECONNECT[1])),
        ("grpc.enable_retries", 0),  # what may be sent again, the client of this knows better
        # Channels with equal options would share one connection.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if deployment.proxy is None:
        options.append(("grpc.enable_http_proxy", 0))
    else:
        options.append(("grpc.http_proxy", deployment.proxy.url))
    target = f"dns:///{deployment.address}"
    if deployment.insecure:
        return GrpcTransport(lambda: aio.insecure_channel(target, options))
    trusted = await tls.trusted_by(deployment)
    if trusted.name is not None:
        options.append(("grpc.ssl_target_name_override", trusted.name))
        # Beside another name the C core accepts the host without its port alone.
        options.append(("grpc.default_authority", split_endpoint(deployment.address)[0]))
    credentials = grpc.ssl_channel_credentials(root_certificates=trusted.certificates)
    return GrpcTransport(lambda: aio.secure_channel(target, credentials, options))


def _decode(rpc: RpcMethod[Q, R], data: bytes | None) -> R:
    """Return the message in a response; raise `InvalidResponse` if there is none.

    Left to grpc.aio, this would log a traceback and return None.
    """
    if data is None:
        reason = f"the response to {rpc.name} is missing"
    else:
        try:
            return rpc.response.FromString(data)
        except (DecodeError, ValueError):
            reason = f"the response to {rpc.name} ({len(data)} bytes) cannot be decoded"
    logger.warning("%s", reason)
    raise InvalidResponse(reason)


async def _told(start: Callable[[], Any]) -> Any:
    """Await a step of a call, and raise what becomes of it as `RpcError`.

    What is raised holds no frame of gRPC's, which would keep the channel.
    """
    failure: BaseException
    try:
        return await start()
    except aio.AioRpcError as error:
        failure = RpcError(error.code().name, error.details() or "")
    except aio.UsageError as error:
        failure = RpcError("CANCELLED", str(error))
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            failure = asyncio.CancelledError()
        else:
            # Nobody cancelled us: the channel was closed under the call.
            failure = RpcError("CANCELLED", "the connection was closed")
    del start  # the frame is kept by what is raised
    raise failure


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
