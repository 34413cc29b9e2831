"""Calls over the Connect protocol: what is sent, and which responses are accepted.

The expected bytes follow the specification: https://connectrpc.com/docs/protocol.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from flyteidl2.workflow.run_service_pb2 import (
    GetRunDetailsResponse,
    ListRunsRequest,
    ListRunsResponse,
    WatchActionsRequest,
    WatchActionsResponse,
)
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte import Deployment
from flyte_sidecar.backends.flyte.rpc import call_limiter, connect_errors, decoding
from flyte_sidecar.backends.flyte.rpc.connect_messages import envelope, messages
from flyte_sidecar.backends.flyte.rpc.connect_transport import ConnectTransport
from flyte_sidecar.backends.flyte.rpc.error_translation import as_error
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError, RpcMethod
from tests.backends.flyte.http_servers import Request, Requests, Respond, http_server, response

LIST_RUNS = RpcMethod("ListRuns", ListRunsRequest, ListRunsResponse)
WATCH = RpcMethod("WatchActions", WatchActionsRequest, WatchActionsResponse)
REQUEST = ListRunsRequest(org="o")
ANSWER = ListRunsResponse(token="next")
PROTO = "application/proto"
JSON = "application/json"
HTML = "text/html; charset=utf-8"

CODES = {
    "canceled": ("CANCELLED", 499),
    "unknown": ("UNKNOWN", 500),
    "invalid_argument": ("INVALID_ARGUMENT", 400),
    "deadline_exceeded": ("DEADLINE_EXCEEDED", 504),
    "not_found": ("NOT_FOUND", 404),
    "already_exists": ("ALREADY_EXISTS", 409),
    "permission_denied": ("PERMISSION_DENIED", 403),
    "resource_exhausted": ("RESOURCE_EXHAUSTED", 429),
    "failed_precondition": ("FAILED_PRECONDITION", 400),
    "aborted": ("ABORTED", 409),
    "out_of_range": ("OUT_OF_RANGE", 400),
    "unimplemented": ("UNIMPLEMENTED", 501),
    "internal": ("INTERNAL", 500),
    "unavailable": ("UNAVAILABLE", 503),
    "data_loss": ("DATA_LOSS", 500),
    "unauthenticated": ("UNAUTHENTICATED", 401),
}
"""The status of gRPC and of HTTP for each code."""


@asynccontextmanager
async def serving(respond: Respond | bytes) -> AsyncIterator[tuple[Requests, ConnectTransport]]:
    async with http_server(respond) as server:
        deployment = Deployment(endpoint=f"127.0.0.1:{server.port}", insecure=True)
        transport = ConnectTransport(HttpClient(deployment, None, "tests/1"))
        try:
            yield server, transport
        finally:
            await transport.close()


async def list_runs(transport: ConnectTransport, timeout: float = 30.0) -> ListRunsResponse:
    return await transport.call(LIST_RUNS, REQUEST, timeout, (("authorization", "Bearer x"),))


async def watched(transport: ConnectTransport) -> list[int]:
    """Return the number of actions in each message of a stream."""
    async with aclosing(transport.stream(WATCH, WatchActionsRequest(), ())) as stream:
        return [len(message.enriched_actions) async for message in stream]


async def error_of(respond: Respond | bytes) -> RpcError:
    async with serving(respond) as (_, transport):
        with pytest.raises(RpcError) as caught:
            await list_runs(transport)
    return caught.value


async def stream_error(respond: Respond | bytes) -> RpcError:
    async with serving(respond) as (_, transport):
        with pytest.raises(RpcError) as caught:
            await watched(transport)
    return caught.value


def stream_of(*envelopes: bytes, status: str = "200 OK") -> bytes:
    return response(b"".join(envelopes), "application/connect+proto", status)


def prefixed(data: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(data)) + data


def ending(error: Any = None) -> bytes:
    return prefixed(json.dumps({} if error is None else {"error": error}).encode(), 2)


def actions(count: int) -> bytes:
    message = WatchActionsResponse()
    for _ in range(count):
        message.enriched_actions.add()
    return prefixed(message.SerializeToString())


# Calls


async def test_a_call_is_a_post_of_its_message() -> None:
    async with serving(response(ANSWER.SerializeToString(), PROTO)) as (server, transport):
        assert (await list_runs(transport, 2.5)).token == "next"
        assert (await list_runs(transport)).token == "next"
    sent = server.received[0]
    assert sent.line == "POST /flyteidl2.workflow.RunService/ListRuns HTTP/1.1"
    assert sent.body == REQUEST.SerializeToString()
    expected = {
        "content-type": "application/proto",
        "connect-protocol-version": "1",
        "connect-timeout-ms": "2500",
        "accept-encoding": "identity",
        "user-agent": "tests/1",
        "authorization": "Bearer x",
    }
    assert expected.items() <= sent.headers.items()
    assert server.connections == 1


@pytest.mark.parametrize("code", CODES)
async def test_an_error_has_the_status_of_its_code_whatever_that_of_http(code: str) -> None:
    status, http_status = CODES[code]
    body = {"code": code, "message": "no such run", "details": [{"type": "a.B", "value": "CgA"}]}
    for http in (http_status, 500, 418):
        error = await error_of(response(json.dumps(body).encode(), JSON, f"{http} X"))
        assert (error.status, error.message) == (status, "no such run")


@pytest.mark.parametrize(
    ("http_status", "status"),
    [
        (400, "INTERNAL"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "UNIMPLEMENTED"),
        (405, "UNKNOWN"),
        (415, "UNKNOWN"),
        (429, "UNAVAILABLE"),
        (500, "UNKNOWN"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "UNAVAILABLE"),
        (599, "UNKNOWN"),
    ],
)
async def test_a_response_without_a_code_has_the_status_of_http(
    http_status: int, status: str
) -> None:
    for body in (b"", b"{}", b'{"code": "teapot"}', b'{"code": 7}', b"[[", b"\xff", b'{"message":'):
        error = await error_of(response(body, JSON, f"{http_status} X"))
        assert error.status == status
        assert f"HTTP status {http_status}" in error.message
    assert (await error_of(response(b"x", "text/plain", f"{http_status} X"))).status == status


async def test_the_message_of_an_error_is_limited_in_length() -> None:
    body = json.dumps({"code": "internal", "message": "a" * 100_000}).encode()
    error = await error_of(response(body, JSON, "500 X"))
    assert len(error.message) == connect_errors.MAX_MESSAGE_LENGTH


async def test_deeply_nested_json_is_an_error_without_a_code() -> None:
    body = b'{"code": "internal", "details": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert (await error_of(response(body, JSON, "404 X"))).status == "UNIMPLEMENTED"
    assert (await stream_error(stream_of(prefixed(body, 2)))).status == "INTERNAL"


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "405 Method Not Allowed"])
async def test_a_web_page_means_that_the_endpoint_is_a_console(status: str) -> None:
    page = response(b"<html>" * 1000, HTML, status)
    for error in (await error_of(page), await stream_error(page)):
        translated = as_error(error, "there")
        assert not translated.retryable
        assert "is a web console and not the API" in translated.message
        assert f"HTTP status {status} (text/html)" in translated.message


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("502 Bad Gateway", "UNAVAILABLE"),
        ("401 X", "UNAUTHENTICATED"),
        ("403 X", "PERMISSION_DENIED"),
    ],
)
async def test_the_page_of_a_gateway_is_not_taken_for_a_console(status: str, expected: str) -> None:
    assert (await error_of(response(b"<html>", HTML, status))).status == expected


async def test_a_redirect_is_reported_with_what_it_may_mean() -> None:
    more = "Location: https://login.test/\r\n"
    error = await error_of(response(b"<html>", HTML, "302 Found", more))
    assert (error.status, "may require TLS" in error.message) == ("UNKNOWN", True)


@pytest.mark.parametrize("content_type", [JSON, "text/plain", "application/connect+proto", ""])
async def test_a_response_of_another_type_is_invalid(content_type: str) -> None:
    error = await error_of(response(ANSWER.SerializeToString(), content_type))
    assert error.status == "INTERNAL"


async def test_a_message_that_cannot_be_decoded_is_invalid() -> None:
    assert (await error_of(response(b"\xff\xff", PROTO))).status == "INTERNAL"


async def test_a_response_that_is_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyte_sidecar.backends.flyte.rpc.connect_transport.MAX_MESSAGE_BYTES", 9)
    assert (await error_of(response(b"a" * 10, PROTO))).status == "RESOURCE_EXHAUSTED"


# Streams


async def test_a_stream_yields_messages_until_its_end() -> None:
    sent = stream_of(actions(2), actions(0), actions(1), ending(), actions(3))
    async with serving(sent) as (server, transport):
        assert await watched(transport) == [2, 0, 1]
    headers = server.received[0].headers
    assert headers["content-type"] == "application/connect+proto"
    assert headers["connect-protocol-version"] == "1"
    assert "connect-timeout-ms" not in headers
    assert "connect-accept-encoding" not in headers
    assert server.received[0].body == prefixed(WatchActionsRequest().SerializeToString())


@pytest.mark.parametrize("code", CODES)
async def test_a_stream_ends_with_the_error_in_its_last_message(code: str) -> None:
    error = await stream_error(stream_of(actions(1), ending({"code": code, "message": "gone"})))
    assert (error.status, error.message) == (CODES[code][0], "gone")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (prefixed(b"{", 2), "INTERNAL"),
        (prefixed(b"", 2), "INTERNAL"),
        (prefixed(b'{"error": 1}', 2), "INTERNAL"),
        (prefixed(b"\xff", 2), "INTERNAL"),
        (ending({"code": "teapot"}), "UNKNOWN"),
        (ending({}), "UNKNOWN"),
        (b"\1" + actions(1)[1:], "INTERNAL"),
        (prefixed(b"{}", 3), "INTERNAL"),
        (prefixed(b"{}", 0x80), "INTERNAL"),
        (prefixed(b"\xff\xff"), "INTERNAL"),
        (b"\0\xff\xff\xff\xff", "RESOURCE_EXHAUSTED"),
        (b"", "UNAVAILABLE"),
        (b"\0\0\0", "UNAVAILABLE"),
        (prefixed(b"abcd")[:-1], "UNAVAILABLE"),
    ],
)
async def test_a_stream_with_an_invalid_end_fails_after_its_messages(
    end: bytes, status: str
) -> None:
    async with serving(stream_of(actions(2), end)) as (_, transport):
        stream = transport.stream(WATCH, WatchActionsRequest(), ())
        assert len((await anext(stream)).enriched_actions) == 2
        with pytest.raises(RpcError) as caught:
            await anext(stream)
    assert caught.value.status == status


async def test_a_stream_whose_connection_breaks_is_unavailable() -> None:
    async def respond(_: Request, writer: asyncio.StreamWriter) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/connect+proto\r\n"
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        writer.write(b"%x\r\n%s\r\n" % (len(actions(1)), actions(1)))
        await writer.drain()
        writer.transport.abort()

    assert (await stream_error(respond)).status == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (response(b'{"code": "not_found"}', JSON, "404 X"), "UNIMPLEMENTED"),
        (response(b"", "application/connect+proto", "401 X"), "UNAUTHENTICATED"),
        (response(b"", "application/connect+json", "200 X"), "INTERNAL"),
        (response(b"", PROTO, "200 X"), "INTERNAL"),
    ],
)
async def test_a_response_that_is_no_stream_has_the_status_of_http(
    sent: bytes, status: str
) -> None:
    assert (await stream_error(sent)).status == status


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
async def test_messages_are_the_same_however_they_are_split(
    sent: list[bytes], data: st.DataObject
) -> None:
    body = b"".join(map(envelope, sent)) + ending()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=10)))

    async def chunks() -> AsyncIterator[bytes]:
        for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
            yield body[start:end]

    assert [message async for message in messages(chunks())] == sent


@given(st.binary(max_size=200))
async def test_arbitrary_bytes_end_a_stream_in_an_error_or_at_its_end(body: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield body

    try:
        async for message in messages(chunks()):
            assert len(message) < decoding.MAX_MESSAGE_BYTES
    except RpcError:
        pass


# Limits and ends


async def test_reads_are_limited_and_writes_do_not_wait_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_limiter, "MAX_CALLS", 2)

    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await gate.wait()
        writer.write(response(ANSWER.SerializeToString(), PROTO))

    arrived, gate = asyncio.Semaphore(0), asyncio.Event()
    async with serving(respond) as (server, transport):
        calls = [asyncio.ensure_future(list_runs(transport)) for _ in range(5)]
        for _ in range(2):
            await arrived.acquire()
        assert server.connections == 2
        gate.set()
        await asyncio.gather(*calls)
        assert server.connections == 2


async def test_closing_ends_calls_and_streams_as_cancelled() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.line.startswith(f"POST {WATCH.path} "):
            head = "HTTP/1.1 200 OK\r\nContent-Type: application/connect+proto\r\n\r\n"
            writer.write(head.encode() + actions(1))
        arrived.release()

    arrived = asyncio.Semaphore(0)
    async with serving(respond) as (_, transport):
        waiting = [asyncio.ensure_future(work(transport)) for work in (list_runs, watched)]
        for _ in waiting:
            await arrived.acquire()
        await transport.close()
        for work in waiting:
            with pytest.raises(RpcError) as caught:
                await work
            assert caught.value.status == "CANCELLED"


async def test_a_stream_that_is_left_disconnects() -> None:
    async def respond(_: Request, writer: asyncio.StreamWriter) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/connect+proto\r\n\r\n"
        writer.write(head.encode() + actions(1))

    async with serving(respond) as (server, transport):
        async with aclosing(transport.stream(WATCH, WatchActionsRequest(), ())) as stream:
            assert await anext(stream)
        await server.disconnected.wait()


def test_well_formed_responses_are_recognized() -> None:
    def is_connect(status: int, content_type: str, body: bytes = b"") -> bool:
        return connect_errors.is_connect(connect_errors.HttpResponse(status, content_type, body))

    assert is_connect(200, PROTO, GetRunDetailsResponse().SerializeToString())
    assert is_connect(404, JSON, b'{"code":"not_found"}')
    assert is_connect(401, JSON, b'{"code":"unauthenticated","message":"x"}')
    assert not is_connect(200, JSON, b'{"code":"not_found"}')
    assert not is_connect(404, JSON, b'{"message":"no route"}')
    assert not is_connect(404, JSON, b'{"code":404}')
    assert not is_connect(404, "text/html", b'{"code":"not_found"}')
    assert not is_connect(500, PROTO)
