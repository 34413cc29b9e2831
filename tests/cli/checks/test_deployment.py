"""Each way in which a deployment can be unusable leads to an advice that helps."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import grpc
import pytest
import trustme

from flyte_sidecar.backends.flyte import Deployment
from flyte_sidecar.backends.flyte.auth.login_store import LoginStore
from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls
from flyte_sidecar.cli.checks import deployment, network
from flyte_sidecar.cli.checks.deployment import DeploymentChecks, deployment_checks
from flyte_sidecar.cli.checks.finding import Finding
from flyte_sidecar.cli.checks.network import NetworkChecks
from flyte_sidecar.cli.checks.run import run_checks
from flyte_sidecar.server.settings import Options, make_flyte_backend
from tests.backends.flyte.connect_proxy import ConnectProxy
from tests.backends.flyte.http_servers import Request, http_server
from tests.cli.checks.conftest import failed, findings_of
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

pytestmark = pytest.mark.anyio

LIST = "ListRuns"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Model()) as server:
        yield server


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def options(endpoint: str, **more: object) -> Options:
    given = {"insecure": True, "project": "p", "domain": "d", **more}
    return Options(backend="flyte", store="", endpoint=endpoint, **given)


async def check(endpoint: str, **more: object) -> dict[str, Finding]:
    return await findings_of(deployment_checks, options(endpoint, **more))


async def only_failure(endpoint: str, **more: object) -> Finding:
    """Return the check that fails; those that depend on it are skipped."""
    findings = await check(endpoint, **more)
    [name] = failed(findings.values())
    assert findings["scope"].status in ("skipped", "failed")
    return findings[name]


async def test_a_deployment_that_works_passes_every_check(server: Server) -> None:
    findings = await check(server.endpoint)
    assert {finding.status for finding in findings.values()} == {"ok", "skipped"}
    assert findings["answers"].detail == "events can be answered"
    [signal] = [request for method, request, _ in server.requests if method == "SignalEvent"]
    assert not signal.HasField("payload")  # every release rejects it


async def test_a_name_that_does_not_exist() -> None:
    found = await only_failure("no-such-host.invalid", insecure=False)
    assert found.detail.startswith("no-such-host.invalid cannot be resolved: ")
    assert found.advice == "check the spelling; the names of private networks need their VPN"


async def test_a_port_on_which_nothing_listens(server: Server) -> None:
    server.stop()
    found = await only_failure(server.endpoint)
    assert found.detail == f"{server.endpoint} refuses connections"
    assert "check the port" in (found.advice or "")


@pytest.mark.parametrize("listens", [True, False])
async def test_one_address_of_several_is_enough(listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        checks = NetworkChecks(Deployment(endpoint=f"flyte.example:{port}", insecure=True))
        checks._addresses = ["127.0.0.2", "127.0.0.1" if listens else "127.0.0.3"]
        [found] = await checks.check_connection()
    assert found.status == ("ok" if listens else "failed")
    assert listens or found.detail == f"flyte.example:{port} refuses connections"


async def test_a_port_that_accepts_connections_and_never_responds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "CONNECT_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        found = await only_failure(endpoint, insecure=False)
    assert found.detail == "no TLS connection within 0.2 s"
    assert "add --insecure" in (found.advice or "")


async def test_a_deployment_without_tls(server: Server) -> None:
    found = await only_failure(server.endpoint, insecure=False)
    assert (found.name, found.detail) == ("TLS", "the server does not use TLS")
    assert "add --insecure" in (found.advice or "")


@pytest.mark.parametrize(
    ("host", "days", "trusts", "insecure", "says", "advice"),
    [
        ("127.0.0.1", 1, False, False, "unable to get local issuer", "--ca-cert-file PATH"),
        ("127.0.0.1", 1, True, True, "cannot be reached", "the server uses TLS: remove --insecure"),
        ("127.0.0.1", -1, True, False, "certificate has expired", "must renew it"),
        ("elsewhere.example", 1, True, False, "not valid for '127.0.0.1'", "use the host name"),
    ],
    ids=["untrusted", "not requested", "expired", "of another host"],
)
async def test_a_certificate_that_is_not_accepted(
    host: str,
    days: int,
    trusts: bool,
    insecure: bool,
    says: str,
    advice: str,
    ca: trustme.CA,
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    period = {"not_before": now - timedelta(days=9), "not_after": now + timedelta(days=days)}
    issued = ca.issue_cert(host, **period)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    more = {"ca_cert_file": str(tmp_path / "ca.pem")} if trusts else {}
    with Server(Model(), tls=(issued.private_key_pem.bytes(), chain)) as server:
        found = await only_failure(server.endpoint, insecure=insecure, **more)
    assert found.name == ("endpoint" if insecure else "TLS")
    assert says in found.detail
    assert advice in (found.advice or "")


async def test_a_ca_file_that_does_not_exist(server: Server, tmp_path: Path) -> None:
    path = str(tmp_path / "missing.pem")
    found = await only_failure(server.endpoint, insecure=False, ca_cert_file=path)
    assert "No such file" in found.detail
    assert found.advice == "check --ca-cert-file, or admin.caCertFilePath in the config"


async def test_a_login_that_is_missing(ca: trustme.CA, tmp_path: Path) -> None:
    issued = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(tmp_path / "c a.pem")
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    trusts = {"insecure": None, "ca_cert_file": str(tmp_path / "c a.pem")}
    with Server(Model(), tls=(issued.private_key_pem.bytes(), chain)) as server:
        server.auth.tokens = ["s3cret"]
        found = await only_failure(server.endpoint, **trusts)
    assert (found.name, found.detail[:4]) == ("login", "Pkce")
    assert found.advice == (
        f"log in: flyte-sidecar login --backend flyte --endpoint {server.endpoint}"
        f" --ca-cert-file '{tmp_path}/c a.pem' --project p --domain d"
    )


@pytest.mark.parametrize(
    ("kind", "advice"),
    [("ExternalCommand", "run admin.command by hand"), ("Passthrough", "check the headers")],
)
async def test_credentials_that_are_rejected(
    kind: str, advice: str, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    monkeypatch.setenv("FLYTE_AUTH_TYPE", kind)
    monkeypatch.setenv("FLYTE_AUTH_COMMAND", '["echo", "wr0ng-token"]')
    monkeypatch.setenv("FLYTE_SIDECAR_AUTH_HEADERS", '{"authorization": "Bearer wr0ng-token"}')
    if kind == "ExternalCommand":
        monkeypatch.delenv("FLYTE_SIDECAR_AUTH_HEADERS")
    with Server(Model(), tls=(issued.private_key_pem.bytes(), chain)) as server:
        server.auth.tokens, server.auth.quotes_headers = ["s3cret"], True
        monkeypatch.setenv("FLYTE_ADMIN_ENDPOINT", server.endpoint)
        trusted = str(tmp_path / "ca.pem")
        chosen = Options(backend="flyte", store="", ca_cert_file=trusted, project="p", domain="d")
        findings = await findings_of(deployment_checks, chosen)
    assert failed(findings.values()) == ["login"]
    assert (findings["login"].advice or "").startswith(advice)
    assert "wr0ng" not in repr(findings)


@pytest.mark.parametrize(
    ("method", "status", "name", "advice"),
    [
        (LIST, grpc.StatusCode.PERMISSION_DENIED, "permission", "ask the deployment's admin"),
        (LIST, grpc.StatusCode.UNIMPLEMENTED, "endpoint", "Flyte 2.0.28 or later is required"),
        (LIST, grpc.StatusCode.UNAVAILABLE, "endpoint", "try again"),
        (LIST, grpc.StatusCode.DEADLINE_EXCEEDED, "endpoint", "the port is open, but nothing"),
        ("SignalEvent", grpc.StatusCode.PERMISSION_DENIED, "answers", "ask the deployment's admin"),
        ("SignalEvent", grpc.StatusCode.UNIMPLEMENTED, "answers", "upgrade the deployment"),
    ],
)
async def test_a_request_that_is_refused(
    method: str, status: grpc.StatusCode, name: str, advice: str, server: Server
) -> None:
    server.faults.errors[method] = (status, "no")
    findings = await check(server.endpoint)
    assert failed(findings.values()) == [name]
    assert (findings[name].advice or "").startswith(advice)


async def test_a_project_that_does_not_exist(server: Server) -> None:
    server.model.projects = {"q": ["d"]}
    found = await only_failure(server.endpoint)
    assert (found.name, found.detail) == (
        "scope",
        "org none, project p, domain d: project 'p' does not exist",
    )


async def test_a_web_console_in_place_of_the_api() -> None:
    async def respond(_: Request, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n"
        writer.write(head + b"hi")
        writer.close()

    async with http_server(respond) as console:
        found = await only_failure(f"127.0.0.1:{console.port}", transport="connect")
    assert "web console" in found.detail
    assert "the endpoint of the API" in (found.advice or "")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("HTTP/1.1 407 Proxy Authentication Required", "put the user and the password"),
        ("HTTP/1.1 403 Forbidden", "check HTTPS_PROXY, which selects the proxy"),
    ],
)
async def test_a_proxy_that_refuses_to_connect(
    error: str, advice: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy(server.endpoint) as proxy:
        proxy.error = error
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pa55word@{proxy.address}")
        found = await only_failure("flyte.example")
    assert error in found.detail
    assert f"(proxy {proxy.address})" in found.detail
    assert (found.advice or "").startswith(advice)
    assert "pa55word" not in repr(found)


@pytest.mark.parametrize(("seconds", "status"), [(0, "ok"), (-600, "warning"), (600, "warning")])
async def test_clocks_that_differ(seconds: int, status: str) -> None:
    now = format_datetime(datetime.now(UTC) - timedelta(seconds=seconds), usegmt=True)
    head = f"HTTP/1.1 404 Not Found\r\nDate: {now}\r\nContent-Length: 0\r\n\r\n".encode()
    async with http_server(head) as server:
        checks = NetworkChecks(Deployment(endpoint=f"127.0.0.1:{server.port}", insecure=True))
        await checks.check_name()
        [_, clock] = await checks.check_tls()
    assert clock.status == status
    if seconds:
        assert ("ahead of" in clock.detail) == (seconds > 0)
        assert "synchronize the clock" in (clock.advice or "")


async def test_no_check_asks_a_person_to_log_in(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.errors[LIST] = (grpc.StatusCode.UNAUTHENTICATED, "log in")
    findings = await check(server.endpoint)
    assert failed(findings.values()) == ["login"]
    assert caplog.records == []


class LockedKeyring:
    """A keyring that waits until a person unlocks it."""

    kind = "keyring"
    name = "the keyring"

    def __init__(self) -> None:
        self.calls = DaemonCalls("keyring")
        self.unlocked = threading.Event()

    def get(self, service: str, user: str) -> str | None:
        self.unlocked.wait()
        return None


async def test_a_keyring_that_does_not_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "KEYRING_TIMEOUT", 0.01)
    keyring = LockedKeyring()
    backend = make_flyte_backend(options("127.0.0.1:1", insecure=False))
    backend.login_store = LoginStore(backend.deployment, None, [keyring])  # type: ignore[list-item]
    checks = DeploymentChecks(options("127.0.0.1:1", insecure=False), backend).checks
    findings = {finding.name: finding async for finding in run_checks(checks)}
    keyring.unlocked.set()
    assert findings["login"].detail == "the keyring has not responded within 0.01 s"
    assert (findings["login"].advice or "").startswith("unlock it")
