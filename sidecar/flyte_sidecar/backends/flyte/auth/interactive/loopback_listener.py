"""The listener to which a browser is redirected at the end of a login (RFC 8252, 7.3)."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from flyte_sidecar._futures import (
    retrieve_exception,
    try_set_exception,
    try_set_result,
    wait_all,
)
from flyte_sidecar.backends.flyte.address import join_host_port
from flyte_sidecar.backends.flyte.auth.interactive.failures import login_failed
from flyte_sidecar.backends.flyte.auth.oauth import MAX_QUOTE, OAuthError, refusal
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.events.plain_text import sanitize

MAX_REQUEST_BYTES = 32 << 10
"""Maximum size of the head of a request, in bytes."""

MAX_CONNECTIONS = 32
"""Maximum number of open connections; browsers open some in advance."""

REQUEST_TIMEOUT = 10.0
"""Time for one request, in seconds."""

_ADDRESSES = {"localhost": ("127.0.0.1", "::1"), "127.0.0.1": ("127.0.0.1",), "::1": ("::1",)}

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>flyte-sidecar</title><h1>{}</h1><p>{}</p></html>
"""
_RECEIVED = ("200 OK", "Login received", "You can close this page.")
_FAILED = ("200 OK", "Login failed", "The program that asked for the login shows the reason.")
_OTHER_LOGIN = ("400 Bad Request", "Another login", "This page does not belong to this login.")
_NOT_FOUND = ("404 Not Found", "Not found", "There is nothing at this address.")
_BAD_METHOD = ("405 Method Not Allowed", "Not allowed", "Only GET is supported.")
_BAD_REQUEST = ("400 Bad Request", "Bad request", "This is not a valid request.")
_TOO_LARGE = ("431 Request Header Fields Too Large", "Too large", "The request is too large.")

_HEAD = (
    "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n"
    "Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'\r\n"
    "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
)

_Page = tuple[str, str, str]


class LoopbackListener:
    """Waits for the redirect of one login, while used as a context manager.

    Parameters
    ----------
    redirect_uri
        The URL that the identity provider accepts; without a port, any free port is used.
    state
        The secret that only redirects of this login contain.

    Attributes
    ----------
    redirect_uri
        The same with the port.
    code
        The code for which the provider issues tokens; fails with `OAuthError` if it refused the
        login.

    Raises
    ------
    RpcError
        If this machine cannot listen at the URL.
    """

    def __init__(self, redirect_uri: str, state: str) -> None:
        self.redirect_uri = redirect_uri
        self.code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.code.add_done_callback(retrieve_exception)
        self._state = state
        self._path = "/"
        self._servers: list[asyncio.Server] = []
        self._requests: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            parts = urlsplit(self.redirect_uri)
            host, port = parts.hostname or "", parts.port or 0
        except ValueError:
            host = ""
        addresses = _ADDRESSES.get(host)
        if addresses is None or parts.scheme != "http":
            uri = sanitize(self.redirect_uri[:MAX_QUOTE])
            message = f"the redirect URI of the deployment is not http://localhost: {uri!r}"
            raise RpcError("UNAUTHENTICATED", message)
        try:
            port = await self._listen(addresses[0], port)
        except OSError as error:
            reason = error.strerror or "not possible"
            raise login_failed(f"port {port} of this machine cannot be used: {reason}") from None
        for address in addresses[1:]:
            try:
                await self._listen(address, port)
            except OSError:
                continue  # a machine without IPv6
        self._path = parts.path or "/"
        self.redirect_uri = parts._replace(netloc=join_host_port(host, port)).geturl()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.close()
        for task in self._requests:
            task.cancel()
        await wait_all(self._requests)
        self.code.cancel()

    @property
    def port(self) -> int:
        """The port, for people who forward it."""
        return int(self._servers[0].sockets[0].getsockname()[1])

    async def _listen(self, address: str, port: int) -> int:
        """Listen at a port, or at any if it is 0, and return the port."""
        server = await asyncio.start_server(self._serve, address, port, limit=MAX_REQUEST_BYTES)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._requests.add(task)
        try:
            if len(self._requests) <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await self._respond(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            self._requests.discard(task)
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outcome: str | OAuthError | None = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            page = _TOO_LARGE
        else:
            page, outcome = self._handle(head.partition(b"\r\n")[0].decode("latin-1").split(" "))
        body = _PAGE.format(*page[1:]).encode()
        writer.write(_HEAD.format(page[0], len(body)).encode() + body)
        await writer.drain()
        # Only now, since the listener is closed afterwards.
        if isinstance(outcome, str):
            try_set_result(self.code, outcome)
        elif outcome is not None:
            try_set_exception(self.code, outcome)

    def _handle(self, request_line: list[str]) -> tuple[_Page, str | OAuthError | None]:
        """Return the page for a request, and the code or failure that it brings."""
        from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
        from oauthlib.oauth2.rfc6749.errors import MismatchingStateError, MissingCodeError

        if len(request_line) != 3 or not request_line[2].startswith("HTTP/1."):
            return _BAD_REQUEST, None
        path, _, query = request_line[1].partition("?")
        if path != self._path:
            return _NOT_FOUND, None
        if request_line[0] != "GET":
            return _BAD_METHOD, None
        try:
            # oauthlib rejects http, which is secure on a loopback address.
            params = WebApplicationClient("").parse_request_uri_response(
                f"https://localhost/?{query}", self._state
            )
        except (MismatchingStateError, MissingCodeError):
            return _OTHER_LOGIN, None
        except OAuth2Error as error:
            return _FAILED, refusal(error.error or "", error.description)
        except ValueError:
            return _BAD_REQUEST, None
        return _RECEIVED, str(params["code"])
