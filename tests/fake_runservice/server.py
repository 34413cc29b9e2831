"""The fake RunService on a local port, in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

import grpc

from tests.fake_runservice import projects
from tests.fake_runservice.auth import Auth
from tests.fake_runservice.faults import Faults
from tests.fake_runservice.hostile import Hostile
from tests.fake_runservice.model import Model
from tests.fake_runservice.service import Metadata, Service

T = TypeVar("T")

_TICK = 0.02  # seconds between two checks for what is due
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_concurrent_streams", 250),  # on one connection, as Go's HTTP/2 server
    # Go's server accepts any number of pings.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 0),
]


class Server:
    """Serves a `Model`. It can stop and restart on the same port; `close` ends its thread.

    Over Connect it has no scripts of `hostile`.
    """

    def __init__(
        self,
        model: Model,
        *,
        port: int = 0,
        tls: tuple[bytes, bytes] | None = None,
        host: str = "127.0.0.1",
        protocol: Literal["grpc", "connect"] = "grpc",
    ) -> None:
        self.model = model
        self.service = Service(model)
        self.hostile = Hostile(self.service.handlers())
        self.auth = Auth()
        self._host = host
        self._port = port
        self._tls = tls
        self._protocol = protocol
        self._server: Any = None
        self._ticker: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runservice")
        self._thread.daemon = True
        self._thread.start()

    @property
    def faults(self) -> Faults:
        return self.service.faults

    @property
    def calls(self) -> Counter[str]:
        """The number of calls of each method; a test may clear it."""
        return self.service.calls

    @property
    def requests(self) -> deque[tuple[str, Any, Metadata]]:
        """The latest calls: method, request and metadata."""
        return self.service.requests

    @property
    def open_streams(self) -> Counter[str]:
        return self.service.open_streams

    @property
    def endpoint(self) -> str:
        return f"{self._host}:{self._port}"

    def start(self) -> None:
        """Start to listen, again on the same port."""
        self._run(self._start())

    def stop(self, grace: float | None = None) -> None:
        """Stop listening, and end open calls after `grace` seconds."""
        self._run(self._stop(grace))

    def upgrade(self, release: str) -> None:
        """Restart as another release."""
        self.stop()
        self.model.upgrade(release)
        self.start()

    def close(self) -> None:
        """Stop, and end the thread."""
        if self._loop.is_closed():
            return
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> None:
        if self._server is not None:
            raise RuntimeError("the server is already started")
        server = self._open_grpc() if self._protocol == "grpc" else self._open_connect()
        await server.start()
        self._server = server
        self._ticker = asyncio.create_task(self._tick())

    def _open_grpc(self) -> Any:
        server = grpc.aio.server(interceptors=[self.auth], options=_OPTIONS)
        server.add_generic_rpc_handlers((self.hostile, *self._handlers()))
        if self._tls is None:
            self._port = server.add_insecure_port(self.endpoint)
        else:
            credentials = grpc.ssl_server_credentials([self._tls])
            self._port = server.add_secure_port(self.endpoint, credentials)
        return server

    def _open_connect(self) -> Any:
        from tests.fake_runservice.connect import ConnectServer

        # asyncio sets TCP_NODELAY only if the protocol is explicit.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._host, self._port))
        self._port = listener.getsockname()[1]
        return ConnectServer(self._handlers(), self.auth, listener, self._tls)

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        return [self.service.handlers(), projects.handlers(self.model), self.auth.handlers()]

    async def _stop(self, grace: float | None) -> None:
        if self._server is None or self._ticker is None:
            return
        server, self._server = self._server, None
        self._ticker.cancel()
        await server.stop(grace)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self.model.expire()
