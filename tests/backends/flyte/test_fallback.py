"""Connect in place of gRPC where an ingress passes only that."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from flyteidl2.workflow.run_service_pb2 import (
    ListRunsRequest,
    ListRunsResponse,
    SignalEventRequest,
    SignalEventResponse,
    WatchActionsRequest,
    WatchActionsResponse,
)

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.backends.flyte.endpoint import Transport
from flyte_sidecar.backends.flyte.proxy import parse_proxy
from flyte_sidecar.backends.flyte.rpc import fallback_transport
from flyte_sidecar.backends.flyte.rpc.connect_transport import ConnectTransport
from flyte_sidecar.backends.flyte.rpc.fallback_transport import FallbackTransport
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from flyte_sidecar.backends.flyte.rpc.open_transport import open_transport
from flyte_sidecar.backends.flyte.rpc.rpc_transport import Metadata, RpcError, RpcMethod
from flyte_sidecar.errors import BackendError, BackendUnavailable, SidecarError
from flyte_sidecar.events.model import Target
from tests.backends.flyte.connect_proxy import ConnectProxy
from tests.backends.flyte.http_servers import Request, Requests, Respond, http_server, response
from tests.backends.flyte.ingress import ingress
from tests.backends.flyte.scenarios import until
from tests.contract.flyte import CONNECT, FlyteHarness
from tests.contract.harness import RUN, SCOPE, BackendClient
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

LIST_RUNS = RpcMethod("ListRuns", ListRunsRequest, ListRunsResponse)
SIGNAL = RpcMethod("SignalEvent", SignalEventRequest, SignalEventResponse, writes=True)
WATCH = RpcMethod("WatchActions", WatchActionsRequest, WatchActionsResponse)
REFUSED = "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:443: "
HTML = response(b"<html>", "text/html", "405 Method Not Allowed")


@pytest.fixture
def flyte() -> Iterator[FlyteHarness]:
    with FlyteHarness(CONNECT) as flyte:
        yield flyte


# Real ingresses


@pytest.mark.posix
@pytest.mark.parametrize(
    ("tls", "how"),
    [(False, {}), (True, {}), (True, {"http2": True}), (True, {"buffering": True})],
    ids=["plain", "tls", "http2", "buffering"],
)
async def test_an_ingress_that_passes_no_grpc_is_used_over_connect(
    tls: bool,
    how: dict[str, bool],
    ca: trustme.CA,
    flyte: FlyteHarness,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    certificate = ca.issue_cert("127.0.0.1") if tls else None
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    action = flyte.server.model.ask(RUN.name, "approve")
    with ingress(flyte.server.endpoint, tmp_path, certificate, **how) as endpoint:
        flyte.connect_through(
            endpoint, insecure=not tls, ca_cert_file=str(tmp_path / "ca.pem") if tls else None
        )
        client = BackendClient(flyte)
        with caplog.at_level(logging.INFO):
            watching = client.watch(RUN)
            await watching.until(lambda picture: picture.pending() == {"approve"})
            flyte.server.model.ask(RUN.name, "later")
            await watching.until(lambda picture: picture.pending() == {"approve", "later"})
            event = await client.get(action_name=action)
            assert event is not None
            write = client.service.write(Target(RUN, action_name=action))
            assert (await write.perform(flyte.backend().signal(event, True))).payload is True
            await watching.until(lambda picture: picture.pending() == {"later"})
        assert flyte.backend().protocol == "Connect"
        await client.close()
        await flyte.close()
    assert flyte.server.calls["SignalEvent"] == 1
    assert flyte.server.calls["WatchActions"] >= 1
    assert sum("only Connect passes" in line for line in caplog.messages) == 1


@pytest.mark.posix
async def test_an_ingress_with_an_untrusted_certificate_can_be_pinned(
    ca: trustme.CA, flyte: FlyteHarness, tmp_path: Path
) -> None:
    certificate = ca.issue_cert("flyte.example.com")
    with ingress(flyte.server.endpoint, tmp_path, certificate) as endpoint:
        flyte.connect_through(endpoint, insecure=False, insecure_skip_verify=True)
        await flyte.backend().check()
        assert flyte.backend().protocol == "Connect"
        await flyte.close()


async def test_streams_over_connect_are_limited_and_other_runs_are_polled(
    flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConnectTransport, "max_streams", 2)
    client = BackendClient(flyte)
    runs = [SCOPE.run(f"r{number}") for number in range(4)]
    watching = [client.watch(run) for run in runs]
    for number, run in enumerate(runs):
        flyte.server.model.ask(run.name, f"q{number}")
        await watching[number].pending([f"q{number}"])
    await until(lambda: flyte.server.open_streams["WatchActions"] == 2)
    await client.close()


@pytest.mark.posix
async def test_plaintext_to_an_ingress_that_requires_tls_fails_with_a_hint(
    ca: trustme.CA, flyte: FlyteHarness, tmp_path: Path
) -> None:
    certificate = ca.issue_cert("127.0.0.1")
    with ingress(flyte.server.endpoint, tmp_path, certificate) as endpoint:
        flyte.connect_through(endpoint)
        with pytest.raises(BackendUnavailable, match="remove the option insecure") as caught:
            await flyte.backend().check()
        assert "web console and not" not in caught.value.message
        await flyte.close()


@pytest.mark.posix
async def test_an_ingress_is_reached_through_a_connect_proxy(
    flyte: FlyteHarness, tmp_path: Path
) -> None:
    with (
        ingress(flyte.server.endpoint, tmp_path) as endpoint,
        ConnectProxy(endpoint) as proxy,
    ):
        used = parse_proxy(f"http://ada:pw@{proxy.address}", "https_proxy")
        flyte.connect_through("flyte.test:80", proxy=used)
        await flyte.backend().check()
        assert flyte.backend().protocol == "Connect"
        await flyte.close()
    assert {head.split("\r\n")[0] for head in proxy.requests} == {"CONNECT flyte.test:80 HTTP/1.1"}


@pytest.mark.posix
async def test_concurrent_first_calls_share_one_probe(flyte: FlyteHarness, tmp_path: Path) -> None:
    with ingress(flyte.server.endpoint, tmp_path) as endpoint:
        flyte.connect_through(endpoint)
        backend = flyte.backend()
        await asyncio.gather(*(backend.check() for _ in range(30)))
        await flyte.close()
    assert flyte.server.calls == {"GetRunDetails": 1, "ListRuns": 30}
    # The handlers of a real deployment crash without an identifier.
    [probe] = [sent for method, sent, _ in flyte.server.requests if method == "GetRunDetails"]
    assert probe.HasField("run_id")


async def test_a_server_that_passes_grpc_receives_no_request_over_http() -> None:
    with Server(Model("2.0.43")) as server:
        transport, http = await opened(server.endpoint)
        for status in ("NOT_FOUND", "UNAVAILABLE"):
            server.faults.errors["ListRuns"] = (grpc.StatusCode[status], "no")
            with pytest.raises(RpcError, match=status):
                await list_runs(transport)
        server.faults.errors.clear()
        await list_runs(transport)
        server.stop()
        with pytest.raises(RpcError):
            await list_runs(transport)
        assert transport.protocol == "gRPC"
        assert not http._pools
        await transport.close()
        await http.close()


@pytest.mark.posix
@pytest.mark.parametrize("transport", ["grpc", "connect"])
async def test_a_transport_can_be_forced(
    transport: Transport, flyte: FlyteHarness, tmp_path: Path
) -> None:
    with ingress(flyte.server.endpoint, tmp_path) as endpoint:
        flyte.connect_through(endpoint, transport=transport)
        if transport == "connect":
            await flyte.backend().check()
            assert flyte.server.calls == {"ListRuns": 1}
        else:
            with pytest.raises(BackendUnavailable, match=r"not pass gRPC; .* transport to auto"):
                await flyte.backend().check()
            assert not flyte.server.calls
        await flyte.close()
        sent = (tmp_path / "requests").read_text()
    assert ("PRI *" in sent) == (transport == "grpc")


async def test_a_server_without_alpn_is_used_over_connect(ca: trustme.CA, tmp_path: Path) -> None:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with http_server(api, ca.issue_cert("127.0.0.1")) as server:
        how = {"insecure": False, "ca_cert_file": str(tmp_path / "ca.pem")}
        transport, _ = await opened(f"127.0.0.1:{server.port}", **how)
        assert (await list_runs(transport)).token == "next"
        assert transport.protocol == "Connect"
        await transport.close()


async def test_a_server_that_closes_the_socket_is_used_over_connect() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.line.startswith("PRI "):
            writer.transport.abort()
        else:
            await api(request, writer)

    async with http_server(respond) as server:
        transport, _ = await opened(f"127.0.0.1:{server.port}")
        assert (await list_runs(transport)).token == "next"
        await transport.close()


async def test_a_web_console_is_reported_as_such() -> None:
    async with http_server(HTML) as server:
        deployment = Deployment(
            endpoint=f"127.0.0.1:{server.port}", insecure=True, project="p", domain="d"
        )
        backend = FlyteBackend(deployment, "tests")
        for _ in range(3):
            with pytest.raises(BackendError) as caught:
                await backend.check()
            assert "is a web console and not the API" in caught.value.message
            assert "HTTP status 405 Method Not Allowed (text/html)" in caught.value.message
            assert not caught.value.retryable
        await backend.close()
    posts = [sent for sent in server.received if sent.line.startswith("POST ")]
    assert len(posts) == 1


async def test_an_error_names_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_server(HTML) as server:
        monkeypatch.delitem(
            sys.modules, "flyte_sidecar.backends.flyte.rpc.http_pool", raising=False
        )
        monkeypatch.setitem(sys.modules, "httpcore", None)
        for transport in ("auto", "connect"):
            deployment = Deployment(
                endpoint=f"127.0.0.1:{server.port}", insecure=True, transport=transport
            )
            backend = FlyteBackend(deployment, "tests")
            with pytest.raises(SidecarError, match=r"pip install 'flyte-sidecar\[flyte\]'"):
                await backend.check()
            await backend.close()


# Decisions


class FailingGrpc:
    """A transport that fails; each of its calls is counted."""

    protocol = "gRPC"
    max_streams = 1000

    def __init__(self, error: RpcError) -> None:
        self.error: RpcError | None = error
        self.calls = 0

    async def call(self, rpc: Any, request: Any, timeout: float, metadata: Metadata) -> Any:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return rpc.response()

    async def stream(self, rpc: Any, request: Any, metadata: Metadata) -> AsyncGenerator[Any, None]:
        self.calls += 1
        yield rpc.response()
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        pass


@asynccontextmanager
async def falling_back(
    error: RpcError, respond: Respond | bytes
) -> AsyncIterator[tuple[FallbackTransport, FailingGrpc, Requests]]:
    async with http_server(respond) as server:
        deployment = Deployment(endpoint=f"127.0.0.1:{server.port}", insecure=True)
        failing = FailingGrpc(error)
        connect = ConnectTransport(HttpClient(deployment, None, "tests"))
        transport = FallbackTransport(failing, connect)
        try:
            yield transport, failing, server
        finally:
            await transport.close()


UNSENT = [
    REFUSED
    + "Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame, got frame type 80)"
    " (Trying to connect an http1.x server (HTTP status 400))",
    REFUSED + "Trying to connect an http1.x server (HTTP status 405)",
    REFUSED + "Failed parsing HTTP/2",
    REFUSED + "recvmsg:Connection reset by peer",
    REFUSED + "Cannot check peer: missing selected ALPN property.",
    REFUSED + "Tls handshake failed: TLSV1_ALERT_NO_APPLICATION_PROTOCOL: OK",
    "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:10.0.0.1:443: Socket closed",
    *(f"Received http2 header with status: {status}" for status in (302, 404, 405, 415, 464, 505)),
]
MAYBE_EXECUTED = [
    "Stream removed (Data frame with END_STREAM flag received)",
    "Stream removed",
    *(f"Received http2 header with status: {status}" for status in (200, 500, 502, 503, 504)),
]
OWN = [
    "Received http2 header with status: 401",
    "Received http2 header with status: 403",
    "Socket closed",
    "recvmsg:Connection reset by peer",
    "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))",
    REFUSED + "Failed to connect to remote host: Connection refused",
    REFUSED + "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
    "DNS resolution failed for flyte.test:443",
    "no such run",
]


@pytest.mark.parametrize("message", [*UNSENT, *MAYBE_EXECUTED])
async def test_such_a_failure_is_followed_by_a_probe_and_the_call_again(message: str) -> None:
    async with falling_back(RpcError("UNKNOWN", message), api) as (transport, failing, server):
        assert transport.protocol == "gRPC"
        assert (await list_runs(transport)).token == "next"
        assert (await list_runs(transport)).token == "next"
        assert (transport.protocol, transport.max_streams) == ("Connect", 180)
    assert failing.calls == 1
    assert methods(server) == ["GetRunDetails", "ListRuns", "ListRuns"]
    assert {sent.headers["authorization"] for sent in server.received} == {"Bearer x"}


@pytest.mark.parametrize("message", UNSENT)
async def test_a_write_that_was_not_sent_is_sent_again(message: str) -> None:
    async with falling_back(RpcError("UNKNOWN", message), api) as (transport, _, server):
        await transport.call(SIGNAL, SignalEventRequest(), 30.0, ())
    assert methods(server) == ["GetRunDetails", "SignalEvent"]


@pytest.mark.parametrize("message", MAYBE_EXECUTED)
async def test_a_write_that_may_have_been_executed_is_not_sent_again(message: str) -> None:
    async with falling_back(RpcError("UNKNOWN", message), api) as (transport, _, server):
        with pytest.raises(RpcError) as caught:
            await transport.call(SIGNAL, SignalEventRequest(), 30.0, ())
        assert caught.value.status == "UNAVAILABLE"
        assert transport.protocol == "Connect"
    assert methods(server) == ["GetRunDetails"]


@pytest.mark.parametrize("message", OWN)
async def test_any_other_failure_is_the_server_s_own(message: str) -> None:
    error = RpcError("UNAVAILABLE", message)
    async with falling_back(error, api) as (transport, _, server):
        with pytest.raises(RpcError) as caught:
            await list_runs(transport)
        assert caught.value is error
    assert not server.received


@pytest.mark.parametrize("message", [MAYBE_EXECUTED[-1], UNSENT[3], UNSENT[6]])
async def test_after_grpc_has_passed_a_failure_is_the_server_s_own(message: str) -> None:
    error = RpcError("UNAVAILABLE", message)
    async with falling_back(error, api) as (transport, failing, server):
        failing.error = None
        await list_runs(transport)
        failing.error = error
        with pytest.raises(RpcError) as caught:
            await list_runs(transport)
        assert caught.value is error
    assert not server.received


@pytest.mark.parametrize("message", [*UNSENT[:3], *UNSENT[4:6]])
async def test_an_ingress_without_http2_is_used_also_after_grpc_has_passed(message: str) -> None:
    error = RpcError("UNAVAILABLE", message)
    async with falling_back(error, api) as (transport, failing, server):
        failing.error = None
        await list_runs(transport)
        failing.error = error
        assert (await list_runs(transport)).token == "next"
        assert transport.protocol == "Connect"
    assert methods(server) == ["GetRunDetails", "ListRuns"]


async def test_a_stream_that_has_sent_messages_is_not_opened_again() -> None:
    error = RpcError("UNAVAILABLE", UNSENT[0])
    async with falling_back(error, api) as (transport, _, server):
        async with aclosing(transport.stream(WATCH, WatchActionsRequest(), ())) as stream:
            await anext(stream)
            with pytest.raises(RpcError) as caught:
                await anext(stream)
        assert caught.value is error
    assert not server.received


async def test_if_connect_does_not_pass_either_both_failures_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = RpcError("UNAVAILABLE", "Received http2 header with status: 502")
    down = response(b"<html>", "text/html", "502 Bad Gateway")
    async with falling_back(error, down) as (transport, failing, server):
        for _ in range(3):
            with pytest.raises(RpcError) as caught:
                await list_runs(transport)
            assert caught.value.status == "UNAVAILABLE"
            assert "status: 502; over Connect: the server responded" in caught.value.message
        assert len(server.received) == 1  # probes are rare
        monkeypatch.setattr(fallback_transport, "PROBE_INTERVAL", 0.0)
        transport._next_probe = 0.0
        with pytest.raises(RpcError):
            await list_runs(transport)
        assert len(server.received) == 2
        assert transport.protocol == "gRPC"
        failing.error = None
        await list_runs(transport)  # the server is back


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_an_ingress_that_requires_a_login_is_probed_again_with_other_headers(
    status: str,
) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.headers.get("authorization") == "Bearer x":
            await api(request, writer)
        else:
            writer.write(response(b"<html>", "text/html", status))

    async with falling_back(RpcError("UNKNOWN", UNSENT[0]), respond) as (transport, _, _):
        with pytest.raises(RpcError) as caught:
            await transport.call(LIST_RUNS, ListRunsRequest(), 30.0, ())
        assert caught.value.status in ("UNAUTHENTICATED", "PERMISSION_DENIED")
        assert (await list_runs(transport)).token == "next"


async def test_a_missing_package_does_not_hide_that_the_server_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "flyte_sidecar.backends.flyte.rpc.http_pool", raising=False)
    monkeypatch.setitem(sys.modules, "httpcore", None)
    error = RpcError("UNAVAILABLE", "Received http2 header with status: 502")
    async with falling_back(error, api) as (transport, _, _):
        with pytest.raises(RpcError, match="over Connect: httpcore is not installed") as caught:
            await list_runs(transport)
    assert caught.value.status == "UNAVAILABLE"


async def test_a_call_whose_client_gives_up_does_not_end_the_probe_of_others() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await gate.wait()
        await api(request, writer)

    arrived, gate = asyncio.Event(), asyncio.Event()
    async with falling_back(RpcError("UNKNOWN", UNSENT[0]), respond) as (transport, _, server):
        first, second = (asyncio.ensure_future(list_runs(transport)) for _ in range(2))
        await arrived.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.set()
        assert (await second).token == "next"
    assert methods(server) == ["GetRunDetails", "ListRuns"]


async def test_closing_ends_a_probe() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        arrived.set()

    arrived = asyncio.Event()
    async with falling_back(RpcError("UNKNOWN", UNSENT[0]), respond) as (transport, _, _):
        calling = asyncio.ensure_future(list_runs(transport))
        await arrived.wait()
        await transport.close()
        with pytest.raises(RpcError, match="the connection was closed"):
            await calling


async def api(request: Request, writer: asyncio.StreamWriter) -> None:
    """Respond as a deployment over Connect, and not over gRPC."""
    method = request.line.split()[1].rpartition("/")[2]
    if method == "GetRunDetails":
        body = json.dumps({"code": "not_found", "message": "run not found"}).encode()
        writer.write(response(body, status="404 Not Found"))
    elif request.line.startswith("POST "):
        token = ListRunsResponse(token="next") if method == "ListRuns" else SignalEventResponse()
        writer.write(response(token.SerializeToString(), "application/proto"))
    else:
        writer.write(response(b"", "text/plain", "400 Bad Request"))


def methods(server: Requests) -> list[str]:
    return [sent.line.split()[1].rpartition("/")[2] for sent in server.received]


async def opened(endpoint: str, **how: Any) -> Any:
    deployment = Deployment(**{"endpoint": endpoint, "insecure": True, **how})
    return await open_transport(deployment, "tests")


async def list_runs(transport: Any) -> Any:
    return await transport.call(
        LIST_RUNS, ListRunsRequest(), 30.0, (("authorization", "Bearer x"),)
    )
