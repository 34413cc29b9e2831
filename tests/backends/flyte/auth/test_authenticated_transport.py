"""Headers on calls, and what happens when the server rejects them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from flyteidl2.workflow.run_service_pb2 import (
    ListRunsRequest,
    ListRunsResponse,
    WatchActionsRequest,
    WatchActionsResponse,
)

from flyte_sidecar.backends.flyte.auth import authenticated_transport
from flyte_sidecar.backends.flyte.auth.authenticated_transport import AuthenticatedTransport
from flyte_sidecar.backends.flyte.auth.authorization import Authorization
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.rpc_transport import Metadata, RpcError, RpcMethod

LIST_RUNS = RpcMethod("ListRuns", ListRunsRequest, ListRunsResponse)
WATCH = RpcMethod("WatchActions", WatchActionsRequest, WatchActionsResponse)
REQUEST_ID = ("x-request-id", "1")


def authorization(token: str) -> Authorization:
    return Authorization(Secret((("authorization", f"Bearer {token}"),)))


class Tokens:
    """An authenticator with a token for each renewal."""

    def __init__(self, current: str | None, *renewed: str | RpcError) -> None:
        self._current = current and authorization(current)
        self._renewed = list(renewed)
        self.rejected: list[Authorization | None] = []

    async def current(self) -> Authorization | None:
        return self._current or None

    async def renew(
        self, rejected: Authorization | None, *, renewed: bool = False
    ) -> Authorization:
        assert renewed == bool(self.rejected)
        self.rejected.append(rejected)
        found = self._renewed.pop(0)
        if isinstance(found, RpcError):
            raise found
        self._current = authorization(found)
        return self._current

    async def settle(self) -> None:
        self.rejected.append(authorization("settled"))

    async def close(self) -> None:
        self.rejected.append(authorization("closed"))


class Server:
    """A transport whose server decides by the token of a call, which may be None."""

    def __init__(self, respond: Callable[[str | None], RpcError | None]) -> None:
        self._respond = respond
        self.tokens: list[str | None] = []
        self.closed_streams = 0
        self.messages = 1
        self.close_error: RpcError | None = None

    def _accept(self, metadata: Metadata) -> RpcError | None:
        assert metadata[0] == REQUEST_ID
        headers = dict(metadata[1:])
        token = headers.get("authorization", "").removeprefix("Bearer ") or None
        self.tokens.append(token)
        return self._respond(token)

    async def call(self, rpc: Any, request: Any, timeout: float, metadata: Metadata) -> Any:
        error = self._accept(metadata)
        if error is not None:
            raise error
        return ListRunsResponse(token="done")

    async def stream(self, rpc: Any, request: Any, metadata: Metadata) -> AsyncGenerator[Any, None]:
        try:
            error = self._accept(metadata)
            if error is not None:
                raise error
            for _ in range(self.messages):
                yield WatchActionsResponse()
            if self.close_error is not None:
                raise self.close_error
        finally:
            self.closed_streams += 1

    async def close(self) -> None: ...


def only(valid: str | None, status: str = "UNAUTHENTICATED", message: str = "token expired") -> Any:
    return lambda token: None if token == valid else RpcError(status, message)


async def call(server: Server, tokens: Tokens) -> Any:
    transport = AuthenticatedTransport(server, tokens)
    return await transport.call(LIST_RUNS, ListRunsRequest(), 1.0, [REQUEST_ID])


async def test_without_a_login_nothing_is_added() -> None:
    server = Server(only(None))
    assert (await call(server, Tokens(None))).token == "done"
    assert server.tokens == [None]


async def test_a_rejected_call_is_repeated_with_renewed_headers_in_place_of_the_old_ones() -> None:
    server, tokens = Server(only("new")), Tokens("old", "new")
    assert (await call(server, tokens)).token == "done"
    assert server.tokens == ["old", "new"]
    assert tokens.rejected == [authorization("old")]


async def test_a_second_renewal_follows_a_login_of_another_process_that_has_expired_too() -> None:
    server = Server(only("newer"))
    assert (await call(server, Tokens("old", "new", "newer"))).token == "done"
    assert server.tokens == ["old", "new", "newer"]


async def test_a_server_that_rejects_every_login_is_not_asked_forever() -> None:
    server = Server(only("never"))
    with pytest.raises(RpcError, match="token expired"):
        await call(server, Tokens("a", "b", "c", "d", "e"))
    assert server.tokens == ["a", "b", "c"]


@pytest.mark.parametrize("status", ["UNKNOWN", "INTERNAL"])
@pytest.mark.parametrize("message", ["401 Unauthorized", "code UNAUTHENTICATED"])
async def test_a_rejection_by_an_ingress_with_another_status_is_recognized(
    status: str, message: str
) -> None:
    server = Server(only("new", status, message))
    assert (await call(server, Tokens("old", "new"))).token == "done"


async def test_permission_denied_asks_for_a_login_only_if_none_was_sent() -> None:
    server = Server(only("new", "PERMISSION_DENIED", "no"))
    assert (await call(server, Tokens(None, "new"))).token == "done"
    with pytest.raises(RpcError, match="PERMISSION_DENIED"):
        await call(server, tokens := Tokens("old", "new"))
    assert tokens.rejected == []


async def test_other_errors_renew_nothing() -> None:
    for status, message in [
        ("NOT_FOUND", "no such run"),
        ("UNAVAILABLE", "UNAUTHENTICATED: Hostname Verification Check failed."),
    ]:
        tokens = Tokens("old", "new")
        with pytest.raises(RpcError, match=message):
            await call(Server(only("new", status, message)), tokens)
        assert tokens.rejected == []


@pytest.mark.parametrize("status", ["UNAUTHENTICATED", "INTERNAL"])
@pytest.mark.parametrize("method", ["call", "stream"])
async def test_an_error_that_quotes_the_headers_is_masked(method: str, status: str) -> None:
    def reject(token: str | None) -> RpcError:
        return RpcError(status, f"header 'Bearer {token}' or {token} of s3cret-x is wrong")

    tokens = ["s3cret-token", "s3cret-tokens", "s3cret-a"]
    server = Server(reject)
    transport = AuthenticatedTransport(server, Tokens(*tokens))
    if method == "call":
        sent: Awaitable[Any] = transport.call(LIST_RUNS, ListRunsRequest(), 1.0, [REQUEST_ID])
    else:
        sent = anext(transport.stream(WATCH, WatchActionsRequest(), [REQUEST_ID]))
    with pytest.raises(RpcError) as raised:
        await sent
    message = "header '***' or *** of s3cret-x is wrong"
    assert raised.value.message == message
    assert str(raised.value) == f"{status}: {message}"


async def test_a_short_value_of_a_header_garbles_no_error() -> None:
    server = Server(only("never", "NOT_FOUND", "no such run"))
    with pytest.raises(RpcError, match="NOT_FOUND: no such run"):
        await call(server, Tokens("run"))


async def test_the_error_of_a_renewal_is_the_error_of_the_call() -> None:
    failure = RpcError("UNAVAILABLE", "the identity provider cannot be reached")
    with pytest.raises(RpcError) as caught:
        await call(Server(only("new")), Tokens("old", failure))
    assert caught.value is failure


async def test_a_deployment_without_logins_is_reported_with_its_own_error() -> None:
    failure = RpcError("UNIMPLEMENTED", "no identity provider")
    with pytest.raises(RpcError, match="PERMISSION_DENIED: not yours; no identity provider"):
        await call(Server(only("new", "PERMISSION_DENIED", "not yours")), Tokens(None, failure))


async def received(server: Server, tokens: Tokens) -> int:
    transport = AuthenticatedTransport(server, tokens)
    count = 0
    async for _ in transport.stream(WATCH, WatchActionsRequest(), [REQUEST_ID]):
        count += 1
    return count


async def test_a_rejected_stream_is_opened_again_with_renewed_headers() -> None:
    server = Server(only("new"))
    assert await received(server, Tokens("old", "new")) == 1
    assert server.tokens == ["old", "new"]
    assert server.closed_streams == 2


async def test_a_login_that_expires_during_a_stream_is_renewed_and_the_stream_lost() -> None:
    server = Server(only("old"))
    server.close_error = RpcError("UNAUTHENTICATED", "token expired")
    tokens = Tokens("old", "new")
    with pytest.raises(RpcError) as caught:
        await received(server, tokens)
    assert caught.value.status == "UNAVAILABLE"  # so that its reader reconnects
    assert server.tokens == ["old"]
    assert tokens.rejected == [authorization("old")]


@pytest.mark.parametrize("messages", [0, 1])
async def test_a_stream_that_was_accepted_late_is_lost_in_the_same_way(
    messages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticated_transport, "MAX_REJECTION_DELAY", 60.0 if messages else -1.0)
    server = Server(only("c" if messages else None))
    server.messages = messages
    server.close_error = RpcError("UNAUTHENTICATED", "token expired")
    with pytest.raises(RpcError) as caught:
        await received(server, Tokens("a" if messages else None, "b", "c", "d"))
    assert caught.value.status == "UNAVAILABLE"
    assert server.tokens == (["a", "b", "c"] if messages else [None])


async def test_a_stream_is_not_opened_forever() -> None:
    server = Server(only("never"))
    with pytest.raises(RpcError, match="token expired"):
        await received(server, Tokens("a", "b", "c", "d"))
    assert server.tokens == ["a", "b", "c"]


async def test_a_stream_that_is_left_ends_on_the_server() -> None:
    server = Server(only(None))
    server.messages = 3
    stream = AuthenticatedTransport(server, Tokens(None)).stream(
        WATCH, WatchActionsRequest(), [REQUEST_ID]
    )
    await anext(stream)
    await stream.aclose()
    assert server.closed_streams == 1


def test_headers_are_not_printed() -> None:
    assert "s3cret" not in repr(authorization("s3cret"))
