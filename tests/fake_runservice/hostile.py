"""Responses that a working service never sends.

A script contains the responses to the next calls of a method, one for each call; use
`itertools.repeat` for all calls. Calls after the end of the script reach the service.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import count
from typing import Any

import grpc

Context = Any
Execute = Callable[[], Awaitable[bytes]]
Response = Callable[[Context, Execute], AsyncIterator[bytes]]
"""Yields the bytes of any number of messages, whatever the method; `Execute` calls the service."""


class Hostile(grpc.GenericRpcHandler):
    """Responds to calls by scripts.

    Attributes
    ----------
    calls
        How many calls of each method a script responded to.
    """

    def __init__(self, service: grpc.GenericRpcHandler) -> None:
        self.calls: Counter[str] = Counter()
        self._service = service
        self._scripts: dict[str, Iterator[Response]] = {}

    def script(self, method: str, responses: Iterable[Response]) -> None:
        """Set the responses to the next calls of a method."""
        self._scripts[method] = iter(responses)

    def clear(self) -> None:
        """Remove all scripts."""
        self._scripts.clear()

    def service(self, details: Any) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = details.method.rpartition("/")[2]
        response = next(self._scripts.get(method, iter(())), None)
        if response is None:
            return None
        self.calls[method] += 1
        inner: Any = self._service.service(details)

        async def respond(request: bytes, context: Context) -> AsyncIterator[bytes]:
            async def execute() -> bytes:
                message = await inner.unary_unary(inner.request_deserializer(request), context)
                return bytes(inner.response_serializer(message))

            async for data in response(context, execute):
                yield data

        return grpc.unary_stream_rpc_method_handler(respond)


def respond(*messages: bytes) -> Response:
    """Respond with these messages."""

    async def response(_: Context, __: Execute) -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    return response


def endless(message: Callable[[int], bytes]) -> Response:
    """Respond with `message(0)`, `message(1)`, ... without an end."""

    async def response(_: Context, __: Execute) -> AsyncIterator[bytes]:
        for number in count():
            yield message(number)

    return response


def status(name: str, message: str = "a hostile service failed") -> Response:
    """Fail with a status without calling the service."""

    async def response(context: Context, _: Execute) -> AsyncIterator[bytes]:
        await context.abort(grpc.StatusCode[name], message)
        yield b""

    return response


def served() -> Response:
    """Respond with the service's response."""

    async def response(_: Context, execute: Execute) -> AsyncIterator[bytes]:
        yield await execute()

    return response


def executed(then: Response) -> Response:
    """Call the service, and respond with something other than its response."""

    async def response(context: Context, execute: Execute) -> AsyncIterator[bytes]:
        await execute()
        async for data in then(context, execute):
            yield data

    return response


def compressed(then: Response) -> Response:
    """Compress the messages, whatever encodings the client accepts."""

    async def response(context: Context, execute: Execute) -> AsyncIterator[bytes]:
        context.set_compression(grpc.Compression.Gzip)
        async for data in then(context, execute):
            yield data

    return response


def meanwhile(happens: Callable[[], object], then: Response) -> Response:
    """Call a function while the client waits for the response."""

    async def response(context: Context, execute: Execute) -> AsyncIterator[bytes]:
        happens()
        async for data in then(context, execute):
            yield data

    return response


def held(until: threading.Event, then: Response) -> Response:
    """Respond after the event is set."""

    async def response(context: Context, execute: Execute) -> AsyncIterator[bytes]:
        await asyncio.to_thread(until.wait)
        async for data in then(context, execute):
            yield data

    return response
