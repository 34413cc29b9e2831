"""The fake services over Connect and HTTP/1.1, by connectrpc's server and uvicorn."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import grpc
import uvicorn
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.auth import auth_service_pb2
from flyteidl2.auth.auth_service_connect import AuthMetadataServiceASGIApplication
from flyteidl2.project import project_service_pb2
from flyteidl2.project.project_service_connect import ProjectServiceASGIApplication
from flyteidl2.workflow import run_service_pb2
from flyteidl2.workflow.run_service_connect import RunServiceASGIApplication

from tests.fake_runservice.auth import Auth

Application = Callable[[Any, Any, Any], Awaitable[None]]

_SERVICES = (
    (run_service_pb2.DESCRIPTOR.services_by_name["RunService"], RunServiceASGIApplication),
    (
        project_service_pb2.DESCRIPTOR.services_by_name["ProjectService"],
        ProjectServiceASGIApplication,
    ),
    (
        auth_service_pb2.DESCRIPTOR.services_by_name["AuthMetadataService"],
        AuthMetadataServiceASGIApplication,
    ),
)


class ConnectServer:
    """Serves the methods of gRPC handlers on a socket that listens."""

    def __init__(
        self,
        handlers: Sequence[grpc.GenericRpcHandler],
        auth: Auth,
        listener: socket.socket,
        tls: tuple[bytes, bytes] | None,
    ) -> None:
        config = uvicorn.Config(
            application(handlers, auth), log_config=None, lifespan="off", ws="none", http="h11"
        )
        config.load()
        config.ssl = tls and _ssl_context(*tls)
        self._listener = listener
        self._server = uvicorn.Server(config)

    async def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:  # noqa: ASYNC110  uvicorn has no event for this
            await asyncio.sleep(0.001)

    async def stop(self, _grace: float | None) -> None:
        """Stop listening, and abort all connections."""
        self._server.should_exit = self._server.force_exit = True
        await self._serving
        state = self._server.server_state
        for connection in list(state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def application(handlers: Sequence[grpc.GenericRpcHandler], auth: Auth) -> Application:
    """Return an ASGI application with all methods of the services."""
    interceptors = [_Check(auth)]
    applications = [
        (f"/{service.full_name}/", made(_Methods(service, handlers), interceptors=interceptors))
        for service, made in _SERVICES
    ]

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        for prefix, application in applications:
            if scope["path"].startswith(prefix):
                await _until_disconnected(application, scope, receive, send)
                return
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body"})

    return serve


async def _until_disconnected(
    application: Application, scope: Any, receive: Any, send: Any
) -> None:
    """Run an application, and cancel it when the client disconnects."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)

    waiting = asyncio.ensure_future(receive())  # only a disconnection may follow
    received = iter([{"type": "http.request", "body": bytes(body), "more_body": False}])

    async def receive_again() -> Any:
        return next(received, None) or await asyncio.shield(waiting)

    responding = asyncio.ensure_future(application(scope, receive_again, send))
    try:
        await asyncio.wait([responding, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (responding, waiting):
            task.cancel()
        await asyncio.gather(responding, waiting, return_exceptions=True)


class _Check:
    """Rejects the calls that `Auth` does."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def on_start(self, context: Any) -> None:
        method = context.method()
        path = f"/{method.service_name}/{method.name}"
        error = self._auth.rejection(path, dict(context.request_headers().allitems()))
        if error is not None:
            raise ConnectError(Code.UNAUTHENTICATED, error)

    async def on_end(self, *_: Any) -> None:
        pass


class _Methods:
    """The methods of one service, with the names of connectrpc's stubs."""

    def __init__(self, service: Any, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        for method in service.methods:
            found = _find(f"/{service.full_name}/{method.name}", handlers)
            serve = _stream(found) if method.server_streaming else _call(found)
            setattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower(), serve)


def _find(path: str, handlers: Sequence[grpc.GenericRpcHandler]) -> Any:
    details: Any = SimpleNamespace(method=path, invocation_metadata=())
    return next((found for one in handlers if (found := one.service(details))), None)


def _call(handler: Any) -> Any:
    async def call(request: Any, context: Any) -> Any:
        if handler is None:
            raise ConnectError(Code.UNIMPLEMENTED, "Method not found!")
        return await handler.unary_unary(request, _Context(context))

    return call


def _stream(handler: Any) -> Any:
    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        if handler is None:
            raise ConnectError(Code.UNIMPLEMENTED, "Method not found!")
        messages = _Context(context)
        serve = handler.unary_stream(request, messages)
        serving = asyncio.ensure_future(serve)
        serving.add_done_callback(lambda _: messages.written.put_nowait(None))
        try:
            while (message := await messages.written.get()) is not None:
                yield message
            await serving
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    return stream


class _Context:
    """What the handlers use of a gRPC context."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.written: asyncio.Queue[Any] = asyncio.Queue()

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return list(self._context.request_headers().allitems())

    def peer(self) -> str:
        return str(self._context.client_address())

    async def abort(self, status: grpc.StatusCode, message: str) -> None:
        name = "canceled" if status.name == "CANCELLED" else status.name.lower()
        raise ConnectError(Code(name), message)

    async def write(self, message: Any) -> None:
        await self.written.put(message)


def _ssl_context(key: bytes, chain: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(key + chain)
        file.flush()
        context.load_cert_chain(file.name)
    return context
