"""The listener for a browser's redirect, and the requests that it survives."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.auth.interactive import loopback_listener
from flyte_sidecar.backends.flyte.auth.interactive.loopback_listener import (
    MAX_CONNECTIONS,
    MAX_REQUEST_BYTES,
    LoopbackListener,
)
from flyte_sidecar.backends.flyte.auth.oauth import OAuthError
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

STATE = "the-state"
URI = "http://127.0.0.1/callback"


async def send(listener: LoopbackListener, request: bytes) -> bytes:
    """Return the response to a request; the server may disconnect at any time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def get(listener: LoopbackListener, target: str, method: str = "GET") -> bytes:
    return await send(listener, f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


def status(response: bytes) -> int:
    return int(response.split(b" ")[1])


def redirect(**params: str) -> str:
    return "/callback?" + urlencode({"state": STATE, **params})


async def test_the_code_of_the_redirect_is_returned() -> None:
    async with LoopbackListener(URI, STATE) as listener:
        response = await get(listener, redirect(code="a+b", iss="x"))
        assert await listener.code == "a+b"
    assert status(response) == 200
    head = response.partition(b"\r\n\r\n")[0].lower()
    assert b"cache-control: no-store" in head
    assert b"content-security-policy: default-src 'none'" in head
    assert b"a+b" not in response


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/favicon.ico", 404),
        ("/", 404),
        ("/callback", 400),
        ("/callback?", 400),
        ("/callback?code=c", 400),
        ("/callback?code=c&state=other", 400),
        ("/callback?error=access_denied", 400),
        ("/callback?error=access_denied&state=other", 400),
        ("/callback?state=the-state", 400),
        ("/callback/?code=c&state=the-state", 404),
        ("//callback?code=c&state=the-state", 404),
        ("http://127.0.0.1/callback?code=c&state=the-state", 404),
        ("/callback?%ff%00=%&code", 400),
    ],
)
async def test_stray_requests_do_not_end_the_login(target: str, expected: int) -> None:
    async with LoopbackListener(URI, STATE) as listener:
        assert status(await get(listener, target)) == expected
        assert not listener.code.done()
        await get(listener, redirect(code="c"))
        assert await listener.code == "c"


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
async def test_other_methods_are_rejected(method: str) -> None:
    async with LoopbackListener(URI, STATE) as listener:
        assert status(await get(listener, redirect(code="c"), method)) == 405
        assert not listener.code.done()


async def test_a_denial_fails() -> None:
    async with LoopbackListener(URI, STATE) as listener:
        response = await get(listener, redirect(error="access_denied"))
        with pytest.raises(OAuthError) as caught:
            await listener.code
    assert caught.value.code == "access_denied"
    assert b"Login failed" in response


async def test_another_error_fails_with_its_text_on_one_line() -> None:
    async with LoopbackListener(URI, STATE) as listener:
        hostile = redirect(error="bad\n\x1b[2J", error_description="<b>x</b>" * 100)
        response = await get(listener, hostile)
        with pytest.raises(OAuthError) as caught:
            await listener.code
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 600
    assert b"<b>" not in response


async def test_the_first_redirect_counts() -> None:
    async with LoopbackListener(URI, STATE) as listener:
        await get(listener, redirect(code="first"))
        await get(listener, redirect(code="second"))
        await get(listener, redirect(error="access_denied"))
        assert await listener.code == "first"


async def test_a_huge_request_is_rejected() -> None:
    async with LoopbackListener(URI, STATE) as listener:
        response = await send(listener, b"GET /" + b"x" * (4 * MAX_REQUEST_BYTES))
        assert response == b"" or status(response) == 431
        await get(listener, redirect(code="c"))
        assert await listener.code == "c"


async def test_idle_and_half_sent_requests_do_not_block_the_redirect() -> None:
    async with LoopbackListener(URI, STATE) as listener:
        idle = [
            await asyncio.open_connection("127.0.0.1", listener.port)
            for _ in range(MAX_CONNECTIONS - 1)
        ]
        idle[0][1].write(b"GET /callback?code=")
        await get(listener, redirect(code="c"))
        assert await listener.code == "c"
    assert listener._requests == set()
    for reader, writer in idle:
        assert await reader.read() == b""  # closed with the listener
        writer.close()


async def test_connections_beyond_the_limit_are_closed_until_others_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loopback_listener, "MAX_CONNECTIONS", 1)
    async with LoopbackListener(URI, STATE) as listener:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        while (response := await get(listener, "/x")) != b"":
            pass  # until the first connection is accepted
        writer.close()
        while (response := await get(listener, redirect(code="c"))) == b"":
            pass
        assert status(response) == 200
        assert await listener.code == "c"


async def test_a_slow_request_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback_listener, "REQUEST_TIMEOUT", 0.05)
    async with LoopbackListener(URI, STATE) as listener:
        assert await send(listener, b"GET /callback") == b""
        assert not listener.code.done()


@given(data=st.binary(max_size=300))
async def test_any_bytes_are_survived(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with LoopbackListener(URI, STATE) as listener:
        await send(listener, data + b"\r\n\r\n")
        assert not listener.code.done()
        await get(listener, redirect(code="c"))
        assert await listener.code == "c"
    assert caplog.records == []  # asyncio logs what the listener does not catch


async def test_localhost_listens_on_both_addresses() -> None:
    async with LoopbackListener("http://localhost/cb", STATE) as listener:
        parts = urlsplit(listener.redirect_uri)
        assert (parts.hostname, parts.port, parts.path) == ("localhost", listener.port, "/cb")
        if socket.has_ipv6:
            try:
                _, writer = await asyncio.open_connection("::1", listener.port)
            except OSError:
                pytest.skip("this machine has no IPv6")
            writer.close()


async def test_the_given_port_is_used() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}/callback"
    for _ in range(2):  # again at once
        async with LoopbackListener(uri, STATE) as listener:
            assert (listener.port, listener.redirect_uri) == (port, uri)
            await get(listener, redirect(code="c"))


async def test_a_port_in_use_is_reported() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RpcError) as caught:
            async with LoopbackListener(f"http://127.0.0.1:{port}/callback", STATE):
                pass
    assert caught.value.status == "UNAUTHENTICATED"
    assert f"port {port} of this machine cannot be used: " in caught.value.message


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "callback",
        "https://127.0.0.1/callback",
        "http://example.com:8080/callback",
        "http://0.0.0.0:8080/callback",
        "http://127.0.0.1:99999/callback",
        "http://[::1/callback",
        "javascript:alert(1)",
    ],
)
async def test_other_redirects_are_rejected(uri: str) -> None:
    with pytest.raises(RpcError, match="the redirect URI of the deployment is not") as caught:
        async with LoopbackListener(uri, STATE):
            pass
    assert caught.value.status == "UNAUTHENTICATED"
