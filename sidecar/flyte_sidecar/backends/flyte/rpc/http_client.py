"""The HTTP client for a deployment and its identity provider: one TLS and proxy configuration.

It follows no redirects, keeps no cookies and reads no environment variables except those of
proxies. httpcore is imported by the first request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from flyte_sidecar._futures import run_in_thread
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc import tls
from flyte_sidecar.backends.flyte.rpc.http_errors import connection_failure, missing_package
from flyte_sidecar.backends.flyte.rpc.http_target import Target, deployment_target, url_target
from flyte_sidecar.backends.flyte.rpc.rpc_transport import (
    ConnectionClosed,
    InvalidResponse,
    LimitExceeded,
    RpcError,
)

if TYPE_CHECKING:
    import httpcore

    from flyte_sidecar.backends.flyte.rpc.http_pool import HttpPool

CONNECT_TIMEOUT = 10.0
"""Time for TCP and for TLS to connect, each, in seconds."""

_POOL_MODULE = "flyte_sidecar.backends.flyte.rpc.http_pool"


class HttpResponse(Struct, frozen=True):
    """A complete response, whose body may contain secrets.

    Attributes
    ----------
    content_type
        The media type, in lower case and without parameters; empty if there is none.
    """

    status: int
    content_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"HttpResponse({self.status}, {self.content_type!r}, {len(self.body)} bytes)"


class HttpStream(Struct, frozen=True):
    """A response whose body is read as it arrives, in chunks of at most 64 KiB."""

    status: int
    content_type: str
    chunks: AsyncGenerator[bytes, None]


class HttpClient:
    """Sends HTTP/1.1 requests; every method raises only `RpcError`.

    The status is `UNAVAILABLE` if the server cannot be reached, `DEADLINE_EXCEEDED` if it does not
    respond in time, `RESOURCE_EXHAUSTED` if it sends too much, and `CANCELLED` after `close`.

    Parameters
    ----------
    trust
        What the certificate of the deployment is checked against; None without TLS.
    user_agent
        The name and version that the logs of servers show.
    """

    def __init__(self, deployment: Deployment, trust: tls.TlsTrust | None, user_agent: str) -> None:
        self._deployment = deployment
        self._trust = trust
        self._user_agent = user_agent
        self._pools: dict[Target, HttpPool] = {}
        self._timers: set[asyncio.Timeout] = set()
        self._closed = False

    async def post(
        self,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        timeout: float,
        max_bytes: int,
    ) -> HttpResponse:
        """Return the response to an OAuth request, which uses the proxy for these if one is set.

        Parameters
        ----------
        headers
            Headers by name, in lower case.
        timeout
            Time for everything, in seconds.
        max_bytes
            Maximum size of the body of the response, in bytes.
        """
        return await self._post(
            url_target(self._deployment, url), content, headers, timeout, max_bytes
        )

    async def call(
        self,
        path: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        timeout: float,
        max_bytes: int,
    ) -> HttpResponse:
        """Return the response of the deployment itself to a request; otherwise as `post`."""
        return await self._post(
            deployment_target(self._deployment, path), content, headers, timeout, max_bytes
        )

    @asynccontextmanager
    async def stream(
        self, path: str, *, content: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[HttpStream]:
        """Yield the response of the deployment itself, without a timeout."""
        async with self._response(
            deployment_target(self._deployment, path), content, headers
        ) as stream:
            yield stream

    async def close(self) -> None:
        """Cancel all requests, and disconnect."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for timer in self._timers:
            if not timer.expired():
                timer.reschedule(now)
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.close()

    async def _post(
        self,
        target: Target,
        content: bytes,
        headers: Mapping[str, str],
        timeout: float,
        max_bytes: int,
    ) -> HttpResponse:
        body = bytearray()
        async with (
            self._limited(target, timeout),
            self._response(target, content, headers) as response,
        ):
            async for chunk in response.chunks:
                body += chunk
                if len(body) > max_bytes:
                    message = f"the response of {target.address} is larger than {max_bytes} bytes"
                    raise LimitExceeded(message)
            return HttpResponse(response.status, response.content_type, bytes(body))

    @asynccontextmanager
    async def _response(
        self, target: Target, content: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[HttpStream]:
        async with AsyncExitStack() as stack:
            async with self._limited(target, None):
                pool = await self._pool(target)
                with self._translated(target):
                    request = self._request(target, content, headers)
                    response = await stack.enter_async_context(pool.respond(request))
            if _header(response, b"content-encoding") not in ("", "identity"):
                raise InvalidResponse(f"{target.address} sent a compressed response")
            content_type = _header(response, b"content-type").partition(";")[0].strip()
            async with aclosing(self._chunks(target, response)) as chunks:
                yield HttpStream(response.status, content_type, chunks)

    def _request(
        self, target: Target, content: bytes, headers: Mapping[str, str]
    ) -> httpcore.Request:
        core = import_module("httpcore")
        url = core.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        headers = {
            "host": target.address,
            "user-agent": self._user_agent,
            "accept-encoding": "identity",
            **headers,
            "content-length": str(len(content)),
        }
        timeouts = {"connect": CONNECT_TIMEOUT}
        try:
            request: httpcore.Request = core.Request(
                "POST", url, headers=headers, content=content, extensions={"timeout": timeouts}
            )
        except (TypeError, ValueError):
            raise _invalid_header() from None
        return request

    async def _chunks(self, target: Target, response: Any) -> AsyncGenerator[bytes, None]:
        async with aclosing(response.stream.__aiter__()) as chunks:
            while True:
                async with self._limited(target, None):
                    with self._translated(target):
                        chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield chunk

    async def _pool(self, target: Target) -> HttpPool:
        key = replace(target, path="")
        if key not in self._pools:
            try:
                module = await run_in_thread(import_module, _POOL_MODULE)
                context: ssl.SSLContext | None = await run_in_thread(self._context, target)
            except (ImportError, OSError) as error:
                raise missing_package(error) from None
            if self._closed:
                raise ConnectionClosed()
            self._pools.setdefault(key, module.HttpPool(target, context))
        return self._pools[key]

    def _context(self, target: Target) -> ssl.SSLContext | None:
        """Return what the certificate of a server is checked against; None without TLS."""
        if target.scheme == "http":
            return None
        if target.is_deployment and self._trust is not None:
            return tls.context_of(self._trust)
        deployment = self._deployment
        if deployment.insecure_skip_verify and deployment.ca_cert_file is None:
            return tls.unverified_context()
        return tls.context_of_others(self._trust)

    @asynccontextmanager
    async def _limited(self, target: Target, timeout: float | None) -> AsyncIterator[None]:
        """Raise `RpcError` when the timeout has passed, or the client is closed."""
        if self._closed:
            raise ConnectionClosed()
        try:
            async with asyncio.timeout(timeout) as timer:
                self._timers.add(timer)
                try:
                    yield
                finally:
                    self._timers.discard(timer)
        except TimeoutError:
            if self._closed:
                raise ConnectionClosed() from None
            message = f"{target.address} did not respond within {timeout:g} s"
            raise RpcError("DEADLINE_EXCEEDED", message) from None

    @contextmanager
    def _translated(self, target: Target) -> Iterator[None]:
        """Raise `RpcError` for a failure of the connection or of the server.

        Messages of HTTP libraries are not passed on, since they can quote headers.
        """
        core = import_module("httpcore")
        try:
            yield
            return
        except (core.NetworkError, core.TimeoutException, OSError) as error:
            pinned = target.is_deployment and self._trust is not None and self._trust.pinned
            reason = connection_failure(error, pinned=pinned, connect_timeout=CONNECT_TIMEOUT)
        except core.RemoteProtocolError:
            reason = "the server disconnected, or its response is not HTTP"
        except core.LocalProtocolError:
            raise _invalid_header() from None
        if self._closed:
            raise ConnectionClosed()
        if not target.is_deployment:
            reason = f"{target.address} cannot be reached: {reason}"
        raise RpcError("UNAVAILABLE", reason)


def _invalid_header() -> RpcError:
    return RpcError("INVALID_ARGUMENT", "a header of the request is invalid")


def _header(response: httpcore.Response, name: bytes) -> str:
    """Return a header in lower case; empty if it is missing."""
    values = (value for key, value in response.headers if key.lower() == name)
    return next(values, b"").decode("latin-1").strip().lower()
