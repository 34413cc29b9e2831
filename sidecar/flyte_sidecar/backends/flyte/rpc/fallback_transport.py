"""gRPC, or Connect where an ingress passes only that."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from flyteidl2.common.identifier_pb2 import RunIdentifier
from flyteidl2.workflow.run_service_pb2 import GetRunDetailsRequest, GetRunDetailsResponse
from google.protobuf.message import Message

from flyte_sidecar.backends.flyte.rpc.connect_errors import WebPage, error_of, is_connect
from flyte_sidecar.backends.flyte.rpc.connect_transport import ConnectTransport
from flyte_sidecar.backends.flyte.rpc.error_translation import OVER_CONNECT
from flyte_sidecar.backends.flyte.rpc.rpc_transport import (
    Metadata,
    Protocol,
    RpcError,
    RpcMethod,
    RpcTransport,
)

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

logger = logging.getLogger(__name__)

PROBE_TIMEOUT = 5.0
"""Time for the response to a probe, in seconds."""

PROBE_INTERVAL = 10.0
"""Minimum time between two probes, in seconds."""

_NOT_AUTHENTICATED = ("UNAUTHENTICATED", "PERMISSION_DENIED")
"""The statuses after which the next call, with other headers, is followed by a probe again."""

_PROBE = RpcMethod("GetRunDetails", GetRunDetailsRequest, GetRunDetailsResponse)

_NO_HTTP2 = (
    r"Failed parsing HTTP/2|Trying to connect an http1\.x server|missing selected ALPN property"
    r"|NO_APPLICATION_PROTOCOL"
)
"""What gRPC's C core reports if the server does not support HTTP/2."""

_HTTP1_ONLY = re.compile(rf"^failed to connect to all addresses; .*({_NO_HTTP2})", re.DOTALL)

_NOT_CONNECTED = re.compile(
    r"^failed to connect to all addresses; .*"
    rf"({_NO_HTTP2}|: Socket closed|: recvmsg:Connection reset by peer)",
    re.DOTALL,
)
"""What it reports if there is no HTTP/2 connection, so that no call was sent."""

_HTTP_RESPONSE = re.compile(
    r"Received http2 header with status: (?!401|403)(?P<status>\d+)"
    r"|Stream removed( \(Data frame with END_STREAM flag received\))?\Z"
)
"""What it reports of a response without a gRPC status. A login is no reason to switch."""

_REJECTED = re.compile(r"3\d\d|4\d\d|505")
"""The HTTP statuses with which an ingress or a server rejects a call without executing it."""


class FallbackTransport:
    """An `RpcTransport` that begins with gRPC and switches to Connect if only that passes.

    It decides once. After gRPC has passed, all failures are the server's own, unless HTTP/2 is no
    longer supported: a VPN or another network can put an ingress in between.
    """

    def __init__(self, grpc: RpcTransport, connect: ConnectTransport) -> None:
        self._grpc = grpc
        self._connect = connect
        self._current: RpcTransport = grpc
        self._grpc_passes = False
        self._probing: asyncio.Future[RpcError | None] | None = None
        self._next_probe = 0.0

    @property
    def protocol(self) -> Protocol:
        return self._current.protocol

    @property
    def max_streams(self) -> int:
        return self._current.max_streams

    async def call(self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata) -> R:
        tried = self._current
        try:
            response = await tried.call(rpc, request, timeout, metadata)
        except RpcError as error:
            if not await self._has_switched(tried, error, metadata):
                raise
            if rpc.writes and not _is_unsent(error):
                raise RpcError("UNAVAILABLE", error.message) from None
        else:
            self._grpc_passes = tried is self._grpc
            return response
        return await self._connect.call(rpc, request, timeout, metadata)

    async def stream(
        self, rpc: RpcMethod[Q, R], request: Q, metadata: Metadata
    ) -> AsyncGenerator[R, None]:
        tried, started = self._current, False
        try:
            async with aclosing(tried.stream(rpc, request, metadata)) as messages:
                async for message in messages:
                    self._grpc_passes = tried is self._grpc
                    started = True
                    yield message
            return
        except RpcError as error:
            if started or not await self._has_switched(tried, error, metadata):
                raise
        async with aclosing(self._connect.stream(rpc, request, metadata)) as messages:
            async for message in messages:
                yield message

    async def close(self) -> None:
        await self._grpc.close()
        await self._connect.close()
        if self._probing is not None:
            await self._probing

    async def _has_switched(self, tried: RpcTransport, error: RpcError, metadata: Metadata) -> bool:
        """Return whether Connect has replaced the transport that failed; if not, say why.

        Raises
        ------
        RpcError
            If the failure may be that of an ingress, but Connect does not pass either.
        """
        if tried is self._connect or not _is_suspect(error):
            return False
        if self._grpc_passes and not _HTTP1_ONLY.search(error.message):
            return False
        if self._current is self._connect:
            return True
        failure = await self._probe(metadata)
        if failure is None:
            if self._current is self._grpc:
                self._current = self._connect
                logger.info("only Connect passes, and not gRPC (%s)", error.message)
            return True
        if isinstance(failure, WebPage) or failure.status in _NOT_AUTHENTICATED:
            raise RpcError(failure.status, failure.message) from None
        message = f"{error.message}{OVER_CONNECT}{failure.message}"
        raise RpcError(error.status, message) from None

    async def _probe(self, metadata: Metadata) -> RpcError | None:
        """Return why Connect does not pass; None if it does. Concurrent calls share the answer."""
        now = asyncio.get_running_loop().time()
        if self._probing is None or (self._probing.done() and now >= self._next_probe):
            self._probing = asyncio.ensure_future(self._ask(metadata))
        return await asyncio.shield(self._probing)

    async def _ask(self, metadata: Metadata) -> RpcError | None:
        # The handlers of the backend crash if there is no identifier at all.
        request = GetRunDetailsRequest(run_id=RunIdentifier())
        try:
            response = await self._connect.respond(_PROBE, request, PROBE_TIMEOUT, metadata)
            failure = None if is_connect(response) else error_of(response)
        except RpcError as error:
            failure = error
        if failure is None or failure.status not in _NOT_AUTHENTICATED:
            self._next_probe = asyncio.get_running_loop().time() + PROBE_INTERVAL
        return failure


def _is_suspect(error: RpcError) -> bool:
    """Return whether a call over gRPC failed as behind an ingress that does not pass it."""
    return any(pattern.search(error.message) for pattern in (_NOT_CONNECTED, _HTTP_RESPONSE))


def _is_unsent(error: RpcError) -> bool:
    """Return whether a call that failed in such a way cannot have been executed."""
    if _NOT_CONNECTED.search(error.message):
        return True
    response = _HTTP_RESPONSE.search(error.message)
    return response is not None and _REJECTED.fullmatch(response["status"] or "") is not None
