"""HTTP requests to a deployment and its identity provider."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpcore
import pytest
import trustme

from flyte_sidecar.backends.flyte import Deployment
from flyte_sidecar.backends.flyte.credentials import Credentials, Secret
from flyte_sidecar.backends.flyte.proxy import NO_PROXY_VARIABLES, PROXY_VARIABLES, parse_proxy
from flyte_sidecar.backends.flyte.rpc import http_client, tls
from flyte_sidecar.backends.flyte.rpc.error_translation import as_error
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient, HttpResponse
from flyte_sidecar.backends.flyte.rpc.http_errors import missing_package
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from tests.backends.flyte.connect_proxy import ConnectProxy
from tests.backends.flyte.http_servers import Request, http_server, response

SECRET = "hunter2"
OK = response(b"{}")


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    path.write_bytes("# Fő\n".encode() + ca.cert_pem.bytes())
    return str(path)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, *NO_PROXY_VARIABLES, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def client(endpoint: str = "127.0.0.1:1", **how: Any) -> AsyncIterator[HttpClient]:
    deployment = Deployment(endpoint=endpoint, **how)
    trust = None if deployment.insecure else await tls.load_trust(deployment)
    opened = HttpClient(deployment, trust, "tests/1")
    try:
        yield opened
    finally:
        await opened.close()


async def post(http: HttpClient, url: str, **how: Any) -> HttpResponse:
    how = {"content": b"a=b", "headers": {}, "timeout": 30.0, "max_bytes": 1000, **how}
    return await http.post(url, **how)


async def call(http: HttpClient, path: str = "/x", **how: Any) -> HttpResponse:
    how = {"content": b"a=b", "headers": {}, "timeout": 30.0, "max_bytes": 1000, **how}
    return await http.call(path, **how)


async def failure(sending: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await sending
    assert SECRET not in f"{caught.value.message}{caught.value.__cause__}"
    return caught.value


async def test_a_request_is_sent_as_it_is_and_its_response_returned() -> None:
    body = b'{"access_token": "x"}'
    content_type = "Application/JSON; charset=utf-8"
    async with (
        http_server(response(body, content_type, "400 Bad Request")) as server,
        client(insecure=True) as http,
    ):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        url = f"http://127.0.0.1:{server.port}/token?q=1#top"
        got = await post(http, url, headers=headers)
    assert (got.status, got.content_type, got.body) == (400, "application/json", body)
    assert "access_token" not in repr(got)
    (sent,) = server.received
    assert sent.line == "POST /token?q=1 HTTP/1.1"
    assert sent.body == b"a=b"
    assert sent.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "tests/1",
        "accept-encoding": "identity",
        "content-length": "3",
        "content-type": "application/x-www-form-urlencoded",
    }


async def test_without_tls_no_certificates_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "SSLContext", None)
    async with (
        http_server(OK) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        assert (await call(http)).status == 200
        assert (await post(http, f"http://127.0.0.1:{server.port}/token")).status == 200


async def test_redirects_are_not_followed_and_cookies_are_not_kept() -> None:
    more = f"Location: /other\r\nSet-Cookie: session={SECRET}\r\n"
    async with (
        http_server(response(b"", status="307 Temporary Redirect", more=more)) as server,
        client(insecure=True) as http,
    ):
        url = f"http://127.0.0.1:{server.port}/token"
        assert (await post(http, url)).status == 307
        assert (await post(http, url)).status == 307
    assert [sent.line.split()[1] for sent in server.received] == ["/token", "/token"]
    assert not any("cookie" in sent.headers for sent in server.received)
    assert server.connections == 1


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://h/x", "file:///etc/passwd", "h/token", "", "https:///x", "http://[::1/x"),
        *(f"http://ada:{SECRET}@h/x", "http://h:99999/x", f"http://h/\u00e9?{SECRET}"),
        f"http://a..{SECRET}/x",
    ],
)
async def test_an_invalid_url_is_an_error_that_does_not_repeat_it(url: str) -> None:
    async with client(insecure=True) as http:
        error = await failure(post(http, url))
    assert (error.status, error.message) == ("FAILED_PRECONDITION", "a URL for logins is invalid")


# TLS


async def test_both_hosts_may_have_certificates_of_the_ca_file(
    ca: trustme.CA, ca_file: str
) -> None:
    async with (
        http_server(OK, ca.issue_cert("127.0.0.1", "localhost")) as server,
        client(f"127.0.0.1:{server.port}", ca_cert_file=ca_file) as http,
    ):
        assert (await call(http)).status == 200
        assert (await post(http, f"https://localhost:{server.port}/token")).status == 200


async def test_the_system_s_cas_are_trusted_besides_the_ca_file_only_for_other_hosts(
    ca: trustme.CA, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = trustme.CA()
    system.cert_pem.write_to_path(tmp_path / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    async with http_server(OK, system.issue_cert("127.0.0.1", "localhost")) as server:
        async with client(f"127.0.0.1:{server.port}", ca_cert_file=ca_file) as http:
            assert (await post(http, f"https://localhost:{server.port}/token")).status == 200
            assert "not trusted" in translated(await failure(call(http)))
        async with client(f"127.0.0.1:{server.port}") as http:
            assert (await call(http)).status == 200


async def test_without_certificates_of_the_system_those_of_grpc_are_trusted(
    ca: trustme.CA, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_server(OK, ca.issue_cert("127.0.0.1")) as server:
        monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", ca_file)
        async with client(f"127.0.0.1:{server.port}") as http:
            assert (await call(http)).status == 200
        monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(tmp_path / "missing"))
        async with client(f"127.0.0.1:{server.port}") as http:
            assert "not trusted" in translated(await failure(call(http)))


async def test_an_untrusted_identity_provider_is_named_with_the_remedy(ca: trustme.CA) -> None:
    async with http_server(OK, ca.issue_cert("localhost")) as server, client() as http:
        error = await failure(post(http, f"https://localhost:{server.port}/token"))
    assert f"localhost:{server.port} cannot be reached" in error.message
    assert "set the option ca-cert-file" in translated(error)


async def test_a_certificate_for_another_host_is_reported_as_such(
    ca: trustme.CA, ca_file: str
) -> None:
    async with http_server(OK, ca.issue_cert("flyte.example.com")) as server:
        for host in ("127.0.0.1", "localhost"):
            async with client(f"{host}:{server.port}", ca_cert_file=ca_file) as http:
                assert "for another host" in translated(await failure(call(http)))


@pytest.mark.parametrize("names", [["127.0.0.1"], ["flyte.example.com"], ["*.example.com"]])
async def test_a_pinned_certificate_may_be_of_any_ca_and_for_any_name(
    names: list[str], ca: trustme.CA
) -> None:
    for issuer in (ca, ca.create_child_ca()):
        async with (
            http_server(OK, issuer.issue_cert(*names)) as server,
            client(f"127.0.0.1:{server.port}", insecure_skip_verify=True) as http,
        ):
            assert (await call(http)).status == 200


async def test_only_the_pinned_certificate_is_accepted_from_the_deployment(
    ca: trustme.CA,
) -> None:
    async with (
        http_server(OK, ca.issue_cert("127.0.0.1")) as pinned,
        http_server(OK, ca.issue_cert("127.0.0.1")) as other,
        http_server(OK, trustme.CA().issue_cert("flyte.example.com")) as unknown,
    ):
        deployment = Deployment(endpoint=f"127.0.0.1:{pinned.port}", insecure_skip_verify=True)
        trust = await tls.load_trust(deployment)
        # The CA of the certificate must not be trusted either, even if the server has sent it.
        assert trust.root_certificates is not None
        chain = tls.TlsTrust(trust.root_certificates + ca.cert_pem.bytes(), None, True)
        moved = Deployment(endpoint=f"127.0.0.1:{other.port}", insecure_skip_verify=True)
        http = HttpClient(moved, chain, "tests")
        error = await failure(call(http))
        assert "certificate changed after it was pinned" in translated(error)
        # The certificate of any other server is not verified at all.
        assert (await post(http, f"https://127.0.0.1:{unknown.port}/token")).status == 200
        await http.close()


async def test_tls_to_a_plaintext_server_fails_with_a_hint(ca_file: str) -> None:
    def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        endpoint = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client(endpoint, ca_cert_file=ca_file) as http:
            assert "set the option insecure" in translated(await failure(call(http)))


@pytest.mark.parametrize("resets", [False, True])
async def test_a_server_that_disconnects_during_the_handshake_is_unreachable(
    resets: bool, ca_file: str
) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if resets:
            writer.transport.abort()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        endpoint = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client(endpoint, ca_cert_file=ca_file) as http:
            error = await failure(call(http))
    assert as_error(error, "there").retryable


async def test_a_broken_tls_record_is_not_taken_for_wrong_options(
    ca: trustme.CA, ca_file: str
) -> None:
    async def respond(_: Request, writer: asyncio.StreamWriter) -> None:
        os.write(writer.get_extra_info("socket").fileno(), b"no TLS record")

    async with (
        http_server(respond, ca.issue_cert("127.0.0.1")) as server,
        client(f"127.0.0.1:{server.port}", ca_cert_file=ca_file) as http,
    ):
        error = await failure(call(http))
    assert as_error(error, "there").retryable


def translated(error: RpcError) -> str:
    """Return the message of the contract's error."""
    assert error.status == "UNAVAILABLE"
    return as_error(error, "there").message


# Proxies


async def test_the_deployment_is_reached_through_its_proxy(ca: trustme.CA, ca_file: str) -> None:
    certificate = ca.issue_cert("flyte.test")
    for how in ({"insecure": True}, {"ca_cert_file": ca_file}):
        tls_certificate = None if "insecure" in how else certificate
        async with http_server(OK, tls_certificate) as server:
            with ConnectProxy(f"127.0.0.1:{server.port}") as proxy:
                url = f"http://ada:{SECRET}@{proxy.address}"
                how["proxy"] = parse_proxy(url, "https_proxy")
                async with client("flyte.test:443", **how) as http:
                    assert (await call(http)).status == 200
        (head,) = proxy.requests
        assert head.startswith("CONNECT flyte.test:443 HTTP/1.1\r\n")
        basic = b64encode(f"ada:{SECRET}".encode()).decode()
        assert f"Proxy-Authorization: Basic {basic}\r\n" in head
        assert "proxy-authorization" not in server.received[0].headers


async def test_other_hosts_are_reached_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with http_server(OK) as server:
        with ConnectProxy(f"127.0.0.1:{server.port}") as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
            async with client(insecure=True) as http:
                assert (await post(http, "http://idp.test/token")).status == 200
                monkeypatch.setenv("NO_PROXY", ".example.com,idp.test")
                error = await failure(post(http, "http://idp.test/token"))
    assert error.message.startswith("idp.test:80 cannot be reached: ")
    assert len(proxy.requests) == 1


async def test_a_proxy_for_oauth_is_used_for_each_login_request_and_for_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    async with http_server(OK) as server:
        with ConnectProxy(f"127.0.0.1:{server.port}") as proxy:
            oauth_proxy = Secret(f"http://ada:{SECRET}@{proxy.address}")
            how: dict[str, Any] = {
                "insecure": True,
                "credentials": Credentials(http_proxy=oauth_proxy),
            }
            async with client(f"127.0.0.1:{server.port}", **how) as http:
                assert (await call(http)).status == 200
                assert not proxy.requests
                assert (await post(http, f"http://127.0.0.1:{server.port}/token")).status == 200
                assert (await post(http, "http://idp.test/token")).status == 200
    assert len(proxy.requests) == 2


async def test_an_invalid_proxy_for_oauth_is_an_error_without_its_password() -> None:
    credentials = Credentials(http_proxy=Secret(f"socks5://ada:{SECRET}@h:1"))
    async with client(insecure=True, credentials=credentials) as http:
        error = await failure(post(http, "http://idp.test/token"))
    assert error.status == "FAILED_PRECONDITION"
    assert "admin.httpProxyURL must be http://host:port" in error.message


@pytest.mark.parametrize("line", ["HTTP/1.1 407 Proxy Authentication Required", "SSH-2.0-x", ""])
async def test_a_proxy_that_refuses_is_reported(line: str) -> None:
    with ConnectProxy("127.0.0.1:1") as proxy:
        proxy.error = line or "\r\n"
        how = {"proxy": parse_proxy(f"http://ada:{SECRET}@{proxy.address}", "https_proxy")}
        async with client("flyte.test:80", insecure=True, **how) as http:
            error = await failure(call(http))
    assert error.status == "UNAVAILABLE"
    assert "the proxy responded with" in error.message


async def test_the_response_of_a_proxy_is_limited_in_size_and_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * (1 << 17))

    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        pass

    for respond, message in ((endless, "no HTTP response"), (silent, "not connected within 0.1 s")):
        async with http_server(respond) as server:
            proxy = parse_proxy(f"127.0.0.1:{server.port}", "https_proxy")
            async with client("flyte.test:80", insecure=True, proxy=proxy) as http:
                if respond is silent:
                    monkeypatch.setattr(http_client, "CONNECT_TIMEOUT", 0.1)
                assert message in (await failure(call(http))).message


# Limits and failures


async def test_a_server_that_does_not_listen_is_unavailable() -> None:
    with closing(socket.socket()) as taken:  # bound, but never listening
        taken.bind(("127.0.0.1", 0))
        async with client(f"127.0.0.1:{taken.getsockname()[1]}", insecure=True) as http:
            error = await failure(call(http))
    assert (error.status, error.message) == ("UNAVAILABLE", "Connection refused")


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", b"HTTP/1.1 200 OK\r\nContent-Type: a"],
)
async def test_a_server_that_stops_responding_ends_in_a_timeout(sent: bytes) -> None:
    async with (
        http_server(sent) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        error = await failure(call(http, timeout=0.1))
    assert error.status == "DEADLINE_EXCEEDED"


async def test_a_connection_attempt_has_a_timeout(
    ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "CONNECT_TIMEOUT", 0.1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # no TLS handshake
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        async with client(endpoint, ca_cert_file=ca_file) as http:
            error = await failure(call(http))
    assert (error.status, error.message) == ("UNAVAILABLE", "not connected within 0.1 s")


@pytest.mark.parametrize(
    "sent",
    [
        response(b"a" * 1001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1001,
    ],
    ids=["length", "chunked"],
)
async def test_a_response_that_is_too_large_is_an_error(sent: bytes) -> None:
    async with (
        http_server(sent) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        error = await failure(call(http))
    assert error.status == "RESOURCE_EXHAUSTED"


async def test_headers_that_do_not_end_are_an_error() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-A: " + b"a" * 60_000 + b"\r\n")
            await writer.drain()

    async with (
        http_server(respond) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        error = await failure(call(http))
    assert error.status == "UNAVAILABLE"


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        f"HTTP/1.1 {SECRET}\r\n\r\n".encode(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n\r\n",
    ],
    ids=["other protocol", "length", "status", "chunk", "HTTP/2"],
)
async def test_a_response_that_is_not_http_is_unavailable(sent: bytes) -> None:
    async with (
        http_server(sent) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        error = await failure(call(http))
    assert error.status == "UNAVAILABLE"
    assert error.message == "the server disconnected, or its response is not HTTP"


async def test_a_truncated_body_is_unavailable() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
        writer.close()

    async with (
        http_server(respond) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        assert (await failure(call(http))).status == "UNAVAILABLE"


async def test_a_compressed_response_is_an_error() -> None:
    async with (
        http_server(response(b"\x1f\x8b", more="Content-Encoding: gzip\r\n")) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        error = await failure(call(http))
    assert (error.status, "compressed" in error.message) == ("INTERNAL", True)


@pytest.mark.parametrize("value", [f"Bearer {SECRET}\n", f"Bearer {SECRET}\u0151", "\0" + SECRET])
async def test_an_invalid_header_is_an_error_that_does_not_repeat_it(value: str) -> None:
    async with (
        http_server(OK) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        error = await failure(call(http, headers={"authorization": value}))
    assert error.status == "INVALID_ARGUMENT"


async def test_a_connection_that_the_server_closed_is_replaced() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()
        closed.set()

    closed = asyncio.Event()
    async with (
        http_server(respond) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        for _ in range(5):
            assert (await call(http)).status == 200
            await closed.wait()
    assert server.connections == 5


async def test_closing_cancels_requests_and_streams_and_lets_no_further_one_start() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.line.startswith("POST /stream "):
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        waiting.release()

    async def read() -> None:
        async with http.stream("/stream", content=b"", headers={}) as stream:
            async for chunk in stream.chunks:
                assert chunk == b"a"
                waiting.release()

    waiting = asyncio.Semaphore(0)
    async with (
        http_server(respond) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        sending = [asyncio.ensure_future(work) for work in (call(http), read())]
        for _ in range(3):
            await waiting.acquire()
        await http.close()
        for task in sending:
            assert (await failure(task)).status == "CANCELLED"
        assert (await failure(call(http))).status == "CANCELLED"
        await http.close()


async def test_a_cancelled_request_disconnects() -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        arrived.set()

    arrived = asyncio.Event()
    async with (
        http_server(respond) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        sending = asyncio.ensure_future(call(http))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.disconnected.wait()


@pytest.mark.posix
async def test_the_peers_of_connections_are_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets: list[socket.socket] = []
    connect_tcp = httpcore.AnyIOBackend.connect_tcp

    async def record(self: Any, *args: Any) -> httpcore.AsyncNetworkStream:
        stream = await connect_tcp(self, *args)
        sockets.append(stream.get_extra_info("socket"))
        return stream

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", record)
    async with (
        http_server(OK) as server,
        client(f"127.0.0.1:{server.port}", insecure=True) as http,
    ):
        await call(http)
        (connected,) = sockets
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 40_000


@pytest.mark.parametrize("ending", ["cancel", "close"])
async def test_a_tls_handshake_that_is_cancelled_disconnects(
    ending: str, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "CONNECT_TIMEOUT", 1e6)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            accepted.set()
        writer.close()
        disconnected.set()

    accepted, disconnected = asyncio.Event(), asyncio.Event()
    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        endpoint = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client(endpoint, ca_cert_file=ca_file) as http:
            sending = asyncio.ensure_future(call(http))
            await accepted.wait()
            if ending == "cancel":
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
            else:
                await http.close()
                assert (await failure(sending)).status == "CANCELLED"
            await disconnected.wait()


async def test_nothing_that_is_sent_or_received_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = f"Set-Cookie: {SECRET}\r\nX-Token: {SECRET}\r\n"
    with caplog.at_level(logging.DEBUG):
        async with http_server(response(SECRET.encode(), more=more)) as server:
            with ConnectProxy(f"127.0.0.1:{server.port}") as proxy:
                own = parse_proxy(f"http://ada:{SECRET}@{proxy.address}", "https_proxy")
                async with client("flyte.test:80", insecure=True, proxy=own) as http:
                    await call(http, f"/x?{SECRET}", headers={"authorization": SECRET})
    assert SECRET not in caplog.text


def test_a_missing_package_is_named_with_the_remedy() -> None:
    error = missing_package(ModuleNotFoundError("No module", name="httpcore._sync"))
    assert error.message == "httpcore is not installed: run pip install 'flyte-sidecar[flyte]'"


async def test_a_package_that_cannot_be_read_now_is_reported_without_its_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_descriptors(name: str) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/home/ada/package.py")

    monkeypatch.setattr(http_client, "import_module", without_descriptors)
    async with client(insecure=True) as http:
        error = await failure(call(http))
    assert (error.status, error.message) == (
        "UNAVAILABLE",
        "a package cannot be read: Too many open files",
    )
