"""Which TLS servers are trusted, and the errors of the others."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from flyteidl2.workflow.run_service_pb2 import ListRunsRequest, ListRunsResponse

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.backends.flyte.rpc import grpc_transport, tls
from flyte_sidecar.backends.flyte.rpc.error_translation import as_error
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError, RpcMethod
from flyte_sidecar.errors import BackendError, BackendUnavailable, DeadlineExceeded, SidecarError
from tests.conftest import run
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

LIST_RUNS = RpcMethod("ListRuns", ListRunsRequest, ListRunsResponse)
GET = '{"runName": "r1", "name": "approve"}'


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


@contextmanager
def serving(certificate: trustme.LeafCert | None, host: str = "127.0.0.1") -> Iterator[Server]:
    model = Model("2.0.43")
    model.ask("r1", "approve", action="e1", project="p", domain="d")
    tls = certificate and (
        certificate.private_key_pem.bytes(),
        b"".join(blob.bytes() for blob in certificate.cert_chain_pems),
    )
    with Server(model, tls=tls or None, host=host) as server:
        yield server


@asynccontextmanager
async def connected(endpoint: str, **how: Any) -> AsyncIterator[FlyteBackend]:
    backend = FlyteBackend(Deployment(endpoint=endpoint, project="p", domain="d", **how), "tests")
    try:
        yield backend
    finally:
        await backend.close()


async def works(endpoint: str, **how: Any) -> bool:
    async with connected(endpoint, **how) as backend:
        await backend.check()
    return True


async def error_of(endpoint: str, **how: Any) -> SidecarError:
    """Return the error of a connection that must fail."""
    async with connected(endpoint, **how) as backend:
        with pytest.raises(SidecarError) as caught:
            await backend.check()
    assert endpoint in caught.value.message
    for bytes_of in ("BEGIN", "MII", "PRIVATE"):
        assert bytes_of not in f"{caught.value.message}{caught.value.data}"
    return caught.value


def is_final(error: SidecarError) -> bool:
    """Return whether the error reports that a retry cannot help."""
    return (
        isinstance(error, BackendUnavailable)
        and not error.retryable
        and error.data == {"grpcStatus": "UNAVAILABLE"}
    )


async def test_a_server_whose_ca_is_in_the_file_is_trusted(ca: trustme.CA, ca_file: Path) -> None:
    with serving(ca.issue_cert("127.0.0.1")) as server:
        assert await works(server.endpoint, ca_cert_file=str(ca_file))


async def test_a_host_name_and_any_port_are_accepted(ca: trustme.CA, ca_file: Path) -> None:
    with serving(ca.issue_cert("localhost")) as server:
        port = server.endpoint.rpartition(":")[2]
        assert await works(f"https://localhost:{port}", ca_cert_file=str(ca_file))


async def test_an_ipv6_address_is_verified(ca: trustme.CA, ca_file: Path) -> None:
    with serving(ca.issue_cert("::1"), host="[::1]") as server:
        assert await works(server.endpoint, ca_cert_file=str(ca_file))
        assert await works(server.endpoint, insecure_skip_verify=True)


async def test_an_intermediate_ca_is_accepted(ca: trustme.CA, ca_file: Path) -> None:
    with serving(ca.create_child_ca().issue_cert("127.0.0.1")) as server:
        assert await works(server.endpoint, ca_cert_file=str(ca_file))
        assert await works(server.endpoint, insecure_skip_verify=True)


async def test_the_ca_file_may_contain_many_certificates_and_comments(
    ca: trustme.CA, ca_file: Path
) -> None:
    other = trustme.CA().cert_pem.bytes()
    put(ca_file, b"# F\xc5\x91\n" + other + b"\n# \xff\n" + ca.cert_pem.bytes())
    with serving(ca.issue_cert("127.0.0.1")) as server:
        assert await works(server.endpoint, ca_cert_file=str(ca_file))


async def test_a_server_that_the_system_does_not_trust_is_rejected_with_the_remedy(
    ca: trustme.CA,
) -> None:
    with serving(ca.issue_cert("127.0.0.1")) as server:
        error = await error_of(server.endpoint)
    assert is_final(error)
    assert "set the option ca-cert-file" in error.message


async def test_a_server_of_another_ca_than_in_the_file_is_rejected(
    ca: trustme.CA, ca_file: Path
) -> None:
    with serving(trustme.CA().issue_cert("127.0.0.1")) as server:
        assert is_final(await error_of(server.endpoint, ca_cert_file=str(ca_file)))


async def test_a_certificate_for_another_host_is_rejected_as_such(
    ca: trustme.CA, ca_file: Path
) -> None:
    with serving(ca.issue_cert("flyte.example.com")) as server:
        error = await error_of(server.endpoint, ca_cert_file=str(ca_file))
    assert is_final(error)
    assert "for another host" in error.message


@pytest.mark.parametrize("skip", [False, True])
async def test_an_expired_certificate_is_rejected_as_such(
    skip: bool, ca: trustme.CA, ca_file: Path
) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    certificate = ca.issue_cert("127.0.0.1", not_after=past)
    how: dict[str, Any] = {"insecure_skip_verify": skip}
    if not skip:
        how["ca_cert_file"] = str(ca_file)
    with serving(certificate) as server:
        error = await error_of(server.endpoint, **how)
    assert is_final(error)
    assert "has expired" in error.message


@pytest.mark.parametrize(
    "names",
    [
        ["127.0.0.1"],
        ["localhost"],
        ["flyte.example.com"],
        ["*.example.com"],
        ["*.example.com", "127.0.0.1"],
        ["10.0.0.7"],
        ["::1"],
        ["2001:db8::7"],
        ["a@example.com", "flyte.example.com"],
        ["xn--bcher-kva.example"],
    ],
    ids=" ".join,
)
async def test_skip_verify_accepts_a_certificate_of_any_ca_and_for_any_name(
    names: list[str], ca: trustme.CA
) -> None:
    with serving(ca.issue_cert(*names)) as server:
        assert await works(server.endpoint, insecure_skip_verify=True)
        async with connected(server.endpoint, insecure_skip_verify=True) as backend:
            assert await backend.healthy()  # a second connection with the same trust


async def test_skip_verify_accepts_a_certificate_with_only_a_common_name(ca: trustme.CA) -> None:
    with serving(ca.issue_cert(common_name="flyte.example.com")) as server:
        assert await works(server.endpoint, insecure_skip_verify=True)


async def test_skip_verify_accepts_a_self_signed_certificate(ca: trustme.CA) -> None:
    itself = trustme.CA(organization_name="itself")
    key, certificate = itself.private_key_pem.bytes(), itself.cert_pem.bytes()
    with Server(Model("2.0.43"), tls=(key, certificate)) as server:
        trusted = await tls.load_trust(
            Deployment(endpoint=server.endpoint, insecure_skip_verify=True)
        )
    assert trusted.root_certificates is not None
    assert ssl.PEM_cert_to_DER_cert(trusted.root_certificates.decode()) == ssl.PEM_cert_to_DER_cert(
        certificate.decode()
    )


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["localhost"], None),
        (["flyte.example.com", "LOCALHOST"], None),
        (["flyte.example.com", "*.example.com"], "flyte.example.com"),
        (["*.example.com"], "any.example.com"),
        (["::1"], "::1"),
    ],
)
async def test_the_host_name_is_overridden_only_if_the_certificate_is_not_valid_for_it(
    names: list[str], name: str | None, ca: trustme.CA
) -> None:
    with serving(ca.issue_cert(*names)) as server:
        port = server.endpoint.rpartition(":")[2]
        deployment = Deployment(endpoint=f"localhost:{port}", insecure_skip_verify=True)
        assert (await tls.load_trust(deployment)).host_name == name


async def test_skip_verify_trusts_only_the_first_certificate_of_the_server(ca: trustme.CA) -> None:
    with serving(ca.issue_cert("127.0.0.1")) as server:
        async with connected(server.endpoint, insecure_skip_verify=True) as backend:
            await backend.check()
            server.stop()
            port = int(server.endpoint.rpartition(":")[2])
            other = trustme.CA().issue_cert("127.0.0.1")
            certificate = (other.private_key_pem.bytes(), other.cert_chain_pems[0].bytes())
            with Server(server.model, port=port, tls=certificate):
                error: SidecarError | None = None
                while error is None or error.retryable:  # until it has reconnected
                    with pytest.raises(SidecarError) as caught:
                        await backend.check()
                    error = caught.value
    assert is_final(error)
    assert "the server's certificate changed after it was pinned: restart" in error.message


async def test_a_ca_file_takes_precedence_over_skip_verify(ca: trustme.CA, ca_file: Path) -> None:
    with serving(ca.issue_cert("127.0.0.1")) as server:
        how = {"ca_cert_file": str(ca_file), "insecure_skip_verify": True}
        assert await works(server.endpoint, **how)
    with serving(trustme.CA().issue_cert("127.0.0.1")) as server:
        assert is_final(await error_of(server.endpoint, **how))
    with serving(ca.issue_cert("flyte.example.com")) as server:
        assert "for another host" in (await error_of(server.endpoint, **how)).message


async def test_plaintext_to_a_tls_server_fails_with_a_hint(ca: trustme.CA) -> None:
    with serving(ca.issue_cert("127.0.0.1")) as server:
        error = await error_of(server.endpoint, insecure=True)
    assert isinstance(error, BackendUnavailable)
    assert "if the server uses TLS, remove the option insecure" in error.message


@pytest.mark.parametrize("skip", [False, True])
async def test_tls_to_a_plaintext_server_fails_with_a_hint(skip: bool) -> None:
    with serving(None) as server:
        error = await error_of(server.endpoint, insecure_skip_verify=skip)
    assert is_final(error)
    assert "set the option insecure" in error.message


@pytest.mark.parametrize("how", [{}, {"insecure": True}, {"insecure_skip_verify": True}], ids=str)
async def test_an_unreachable_server_is_a_retryable_error(
    how: dict[str, Any], ca: trustme.CA
) -> None:
    with closing(socket.socket()) as taken:  # bound, but never listening
        taken.bind(("127.0.0.1", 0))
        error = await error_of(f"127.0.0.1:{taken.getsockname()[1]}", **how)
    assert isinstance(error, BackendUnavailable)
    assert error.retryable
    assert "cannot be reached" in error.message


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\xff\xfe\0", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"],
)
async def test_a_ca_file_without_certificates_is_an_error_with_its_path(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    put(path, content)
    error = await error_of("127.0.0.1:1", ca_cert_file=str(path))
    assert isinstance(error, BackendError)
    assert not error.retryable
    assert error.data["outcome"] == "none"
    assert f"the CA file {path} cannot be used" in error.message


@pytest.mark.parametrize(
    "path", ["missing.pem", ".", "~nobody-of-that-name/ca.pem", "nul\0.pem", "\ud800.pem", ""]
)
async def test_an_unreadable_ca_file_is_an_error_with_its_path(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = await error_of("127.0.0.1:1", ca_cert_file=path)
    assert isinstance(error, BackendError)
    assert not error.retryable
    assert f"the CA file {path} cannot be used" in error.message


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")
async def test_a_ca_file_that_would_block_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    error = await error_of("127.0.0.1:1", ca_cert_file=str(path))
    assert f"the CA file {path} cannot be used: it is not a regular file" in error.message


async def test_errors_do_not_contain_the_content_of_a_ca_file(
    ca: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    key = ca.private_key_pem.bytes()
    put(path, key)
    error = await error_of("127.0.0.1:1", ca_cert_file=str(path))
    for line in key.decode().splitlines():
        assert line not in error.message


async def test_a_ca_file_is_read_again_after_a_failure(ca: trustme.CA, ca_file: Path) -> None:
    put(ca_file, b"not yet")
    with serving(ca.issue_cert("127.0.0.1")) as server:
        async with connected(server.endpoint, ca_cert_file=str(ca_file)) as backend:
            assert not await backend.healthy()
            put(ca_file, ca.cert_pem.bytes())
            assert await backend.healthy()


def test_the_system_s_certificates_are_trusted(
    ca: trustme.CA, ca_file: Path, command: dict[str, str]
) -> None:
    with serving(ca.issue_cert("127.0.0.1")) as server:
        env = {**command, "SSL_CERT_FILE": str(ca_file)}
        done = call(server.endpoint, GET, env)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"actionName": "e1"' in done.stdout


def test_certificates_in_the_current_folder_are_not_trusted(
    ca: trustme.CA, tmp_path: Path, command: dict[str, str]
) -> None:
    ca.cert_pem.write_to_path(tmp_path / "ca-certificates.crt")
    nowhere = str(tmp_path / "missing")
    env = {**command, "SSL_CERT_FILE": nowhere, "SSL_CERT_DIR": nowhere}
    with serving(ca.issue_cert("127.0.0.1")) as server:
        done = call(server.endpoint, GET, env, cwd=tmp_path)
    assert done.returncode == 1
    assert "set the option ca-cert-file" in done.stderr


@pytest.mark.parametrize("option", ["--insecure", "--insecure-skip-verify", "--ca-cert-file"])
def test_a_request_to_a_silent_server_ends_at_its_timeout(
    option: str, ca_file: Path, command: dict[str, str]
) -> None:
    params = '{"runName": "r1", "name": "approve", "timeoutSeconds": 0.1}'
    words = (option, ca_file) if option == "--ca-cert-file" else (option,)
    with silent_server() as endpoint:
        done = call(endpoint, params, command, *words)
    assert done.returncode == 1
    assert done.stderr == "deadline_exceeded: timeoutSeconds has passed: 0.1\n"


@pytest.mark.parametrize("insecure", [False, True])
async def test_a_call_to_a_silent_server_ends_at_its_deadline(
    insecure: bool, ca_file: Path
) -> None:
    with silent_server() as endpoint:
        deployment = Deployment(
            endpoint=endpoint, insecure=insecure, ca_cert_file=None if insecure else str(ca_file)
        )
        trust = None if insecure else await tls.load_trust(deployment)
        transport = grpc_transport.connect(deployment, "tests", trust)
        try:
            with pytest.raises(RpcError) as failed:
                await transport.call(LIST_RUNS, ListRunsRequest(), 0.1, ())
        finally:
            await transport.close()
    assert isinstance(as_error(failed.value, endpoint), DeadlineExceeded)


async def test_skip_verify_limits_the_time_of_the_handshake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_TIMEOUT", 0.1)
    with silent_server() as endpoint:
        error = await error_of(endpoint, insecure_skip_verify=True)
    assert isinstance(error, BackendUnavailable)
    assert error.retryable


async def test_fetching_a_certificate_can_be_cancelled() -> None:
    with silent_server() as endpoint:
        deployment = Deployment(endpoint=endpoint, insecure_skip_verify=True)
        fetching = asyncio.ensure_future(tls.load_trust(deployment))
        await asyncio.sleep(0)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching


async def test_a_slow_connection_attempt_is_not_abandoned(ca: trustme.CA, ca_file: Path) -> None:
    connections: list[asyncio.Task[None]] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)  # a slow network
        there, back = await asyncio.open_connection(*server.endpoint.split(":"))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.ensure_future(forward(reader, writer)))

    with serving(ca.issue_cert("127.0.0.1")) as server:
        slow = await asyncio.start_server(accept, "127.0.0.1", 0)
        host, port = slow.sockets[0].getsockname()
        assert await works(f"{host}:{port}", ca_cert_file=str(ca_file))
        slow.close()
        await asyncio.gather(*connections)
    assert len(connections) == 1


def test_only_the_error_of_an_untrusted_server_is_printed(
    ca: trustme.CA, command: dict[str, str]
) -> None:
    with serving(ca.issue_cert("127.0.0.1")) as server:
        done = call(server.endpoint, GET, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("backend_unavailable: ")
    assert done.stderr.count("\n") == 1


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the endpoint of a server that accepts connections and never sends anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def call(endpoint: str, params: str, env: dict[str, str], *words: str | Path, **how: Any) -> Any:
    """Get an event in a new process."""
    where = ("--backend", "flyte", "--endpoint", endpoint, "--project", "p", "--domain", "d")
    env = {name: value for name, value in env.items() if not name.startswith("GRPC_")}
    env.setdefault("PYTHONPATH", os.pathsep.join(sys.path))
    start = (sys.executable, "-m", "flyte_sidecar", "call", "events.get", params)
    return run(*start, *where, *words, env=env, **how)
