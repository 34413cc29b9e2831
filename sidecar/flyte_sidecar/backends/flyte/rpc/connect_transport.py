"""The transport over Connect, for ingresses that do not pass gRPC.

https://connectrpc.com/docs/protocol describes the protocol. Over HTTP/1.1 each open stream is one
TCP connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from google.protobuf.message import Message

from flyte_sidecar.backends.flyte.rpc.call_limiter import CallLimiter
from flyte_sidecar.backends.flyte.rpc.connect_errors import error_of
from flyte_sidecar.backends.flyte.rpc.connect_messages import envelope, messages
from flyte_sidecar.backends.flyte.rpc.decoding import MAX_MESSAGE_BYTES, decode
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient, HttpResponse
from flyte_sidecar.backends.flyte.rpc.rpc_transport import Metadata, Protocol, RpcMethod

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

UNARY = "application/proto"
STREAM = "application/connect+proto"

MAX_STREAMS = 180
"""Maximum number of streams that stay open; with the short ones there are less than 200."""


class ConnectTransport:
    """A `RpcTransport` over HTTP requests of the Connect protocol; closing it closes the client."""

    protocol: Protocol = "Connect"
    max_streams = MAX_STREAMS

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._limiter = CallLimiter()

    async def call(self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata) -> R:
        async with self._limiter.slot(rpc):
            response = await self.respond(rpc, request, timeout, metadata)
        if response.status == 200 and response.content_type == UNARY:
            return decode(rpc, response.body)
        raise error_of(response)

    async def respond(
        self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata
    ) -> HttpResponse:
        """Return the response to a call, whatever it is."""
        return await self._http.call(
            rpc.path,
            content=request.SerializeToString(),
            headers={
                **dict(metadata),
                "content-type": UNARY,
                "connect-protocol-version": "1",
                "connect-timeout-ms": str(round(timeout * 1000)),
            },
            timeout=timeout,
            max_bytes=MAX_MESSAGE_BYTES,
        )

    async def stream(
        self, rpc: RpcMethod[Q, R], request: Q, metadata: Metadata
    ) -> AsyncGenerator[R, None]:
        headers = {
            **dict(metadata),
            "content-type": STREAM,
            "connect-protocol-version": "1",
        }
        content = envelope(request.SerializeToString())
        async with self._http.stream(rpc.path, content=content, headers=headers) as response:
            if response.status != 200 or response.content_type != STREAM:
                # The status says what the body of an error would.
                raise error_of(HttpResponse(response.status, response.content_type, b""))
            async with aclosing(messages(response.chunks)) as received:
                async for data in received:
                    yield decode(rpc, data)

    async def close(self) -> None:
        await self._http.close()
