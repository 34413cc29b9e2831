"""Headers from commands and from the environment, and the header for a proxy."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.backends.flyte.auth.authenticator import make_authenticator
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LogPrompt
from flyte_sidecar.backends.flyte.auth.login_store import LoginStore
from flyte_sidecar.backends.flyte.auth.proxied import ProxiedAuthenticator
from flyte_sidecar.backends.flyte.credentials import Credentials, Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc.open_transport import open_transport
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from tests.backends.flyte.auth.connection import Connect, Connection, Person, Rejected
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.oidc_provider.provider import Provider

PRINT = """
import pathlib, sys
words, runs = sys.argv[2:], pathlib.Path(sys.argv[1])
run = len(runs.read_text()) if runs.exists() else 0
runs.write_text("x" * (run + 1))
print(words[min(run, len(words) - 1)])
"""


class Printer:
    """A command that prints another word each time, and then the last one again."""

    def __init__(self, file: Path, *words: str) -> None:
        self._file = file
        self.command = Secret((sys.executable, "-c", PRINT, str(file), *words))

    @property
    def runs(self) -> int:
        return len(self._file.read_text()) if self._file.exists() else 0


async def failure(connection: Connection) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await connection.call()
    return caught.value


def sent(server: Server, header: str = "authorization") -> list[str | None]:
    """Return a header of each call that was accepted."""
    return [headers.get(header) for _, _, headers in server.requests]


def make_older(connection: Connection, seconds: float) -> None:
    """Let the token for the proxy have been obtained earlier."""
    assert isinstance(connection.authenticator, ProxiedAuthenticator)
    connection.authenticator._proxy._obtained -= seconds


async def test_the_output_of_a_command_is_the_token(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    printer = Printer(tmp_path / "runs", "first")
    async with connect("ExternalCommand", command=printer.command) as connection:
        await asyncio.gather(*(connection.call() for _ in range(20)))
        assert await connection.stored() is None
    assert set(sent(server)) == {"Bearer first"}
    assert printer.runs == 1
    assert server.auth.rejections == []


async def test_a_rejected_token_of_a_command_is_printed_again(
    connect: Connect, server: Server, tmp_path: Path, rejected: Rejected
) -> None:
    printer = Printer(tmp_path / "runs", "first", "second")
    async with connect("ExternalCommand", command=printer.command) as connection:
        await connection.call()
        rejected.add("first")
        await asyncio.gather(*(connection.call() for _ in range(20)))
    assert set(sent(server)[1:]) == {"Bearer second"}
    assert printer.runs == 2


async def test_a_command_that_prints_a_rejected_token_again_is_an_error(
    connect: Connect, tmp_path: Path, rejected: Rejected
) -> None:
    rejected.add("first")
    printer = Printer(tmp_path / "runs", "first")
    async with connect("ExternalCommand", command=printer.command) as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert error.message == "the server rejects what the command in `admin.command` supplies"
    assert printer.runs == 2


@pytest.mark.parametrize("output", ["", "two words", "t\u00f6ken"])
async def test_a_command_that_prints_no_token_is_an_error(
    output: str, connect: Connect, server: Server, tmp_path: Path
) -> None:
    printer = Printer(tmp_path / "runs", output)
    async with connect("ExternalCommand", command=printer.command) as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert error.message.startswith("the token from the command in `admin.command` ")
    assert not output or output not in error.message
    assert not server.calls


async def test_the_deployment_names_the_header_for_the_token_of_a_command(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    assert server.auth.client is not None
    server.auth.client.authorization_metadata_key = server.auth.header = "flyte-authorization"
    printer = Printer(tmp_path / "runs", "first")
    async with connect("ExternalCommand", command=printer.command) as connection:
        await connection.call()
    assert sent(server, "flyte-authorization") == ["Bearer first"]


async def test_a_deployment_without_discovery_accepts_the_token_of_a_command(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    server.auth.client = None
    printer = Printer(tmp_path / "runs", "first")
    async with connect("ExternalCommand", command=printer.command) as connection:
        await connection.call()
    assert sent(server) == ["Bearer first"]


@pytest.mark.parametrize("from_command", [False, True])
async def test_passthrough_sends_the_given_headers(
    from_command: bool, connect: Connect, server: Server, tmp_path: Path
) -> None:
    text = '{"Authorization": "Bearer own", "x-user": "two words"}'
    if from_command:
        how: dict[str, Any] = {"command": Printer(tmp_path / "runs", text).command}
    else:
        how = {"headers": Secret(text), "command": Secret(("false",))}
    async with connect("Passthrough", **how) as connection:
        await connection.call()
    assert sent(server) == ["Bearer own"]
    assert sent(server, "x-user") == ["two words"]


async def test_rejected_headers_of_the_environment_are_an_error(
    connect: Connect, rejected: Rejected
) -> None:
    rejected.add("own")
    headers = Secret("authorization: Bearer own")
    async with connect("Passthrough", headers=headers) as connection:
        error = await failure(connection)
    assert error.message == "the server rejects what FLYTE_SIDECAR_AUTH_HEADERS supplies"


async def test_passthrough_without_headers_names_the_remedy(connect: Connect) -> None:
    async with connect("Passthrough") as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert "set FLYTE_SIDECAR_AUTH_HEADERS, or `admin.command`" in error.message


async def test_a_client_secret_without_a_client_is_an_error(
    connect: Connect, deployment: Server
) -> None:
    async with connect("ClientSecret", client_secret=Secret("s3cret")) as connection:
        error = await failure(connection)
    assert "ClientSecret requires `admin.clientId`" in error.message


async def test_the_header_for_a_proxy_is_added_also_to_discovery(
    connect: Connect, deployment: Server, tmp_path: Path, person: Person
) -> None:
    deployment.auth.proxy_tokens = {"proxy"}
    printer = Printer(tmp_path / "runs", "proxy")
    async with connect("DeviceFlow", proxy_command=printer.command) as connection:
        await connection.call()
        stored = await connection.stored()
        assert stored is not None
    assert sent(deployment, "proxy-authorization") == ["Bearer proxy"]
    assert sent(deployment) == [f"Bearer {stored[0]}"]
    assert printer.runs == 1
    assert len(person.required_logins) == 1


async def test_an_old_token_of_a_proxy_is_renewed_before_the_login(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    tmp_path: Path,
    person: Person,
) -> None:
    deployment.auth.proxy_tokens = {"first"}
    printer = Printer(tmp_path / "runs", "first", "second")
    async with connect("DeviceFlow", proxy_command=printer.command) as connection:
        await connection.call()
        make_older(connection, 1000.0)
        deployment.auth.proxy_tokens = {"second"}
        await asyncio.gather(*(connection.call() for _ in range(20)))
    assert printer.runs == 2
    assert len(provider.issued) == 1


async def test_an_explicit_login_renews_the_header_for_a_proxy_too(
    connect: Connect, deployment: Server, tmp_path: Path, person: Person
) -> None:
    deployment.auth.proxy_tokens = {"first", "second"}
    printer = Printer(tmp_path / "runs", "first", "second")
    async with connect("DeviceFlow", proxy_command=printer.command) as connection:
        await connection.call()
        await connection.authenticator.login()
        await connection.call()
    assert sent(deployment, "proxy-authorization") == ["Bearer first", "Bearer second"]
    assert len(person.required_logins) == 1


@pytest.mark.parametrize("age", [0.0, 1000.0])
@pytest.mark.parametrize("words", [("proxy",), ("proxy", "proxy2", "proxy3", "proxy4")])
async def test_an_expired_login_is_renewed_behind_a_proxy(
    words: tuple[str, ...],
    age: float,
    connect: Connect,
    deployment: Server,
    provider: Provider,
    tmp_path: Path,
    person: Person,
    rejected: Rejected,
) -> None:
    deployment.auth.proxy_tokens = {*words}
    printer = Printer(tmp_path / "runs", *words)
    async with connect("DeviceFlow", proxy_command=printer.command) as connection:
        await connection.call()
        rejected.add(provider.issued[0]["response"]["access_token"])
        make_older(connection, age)
        await connection.call()
    assert len(provider.issued) == 2
    assert len(person.required_logins) == 1


async def test_with_insecure_only_the_header_for_a_proxy_is_sent(
    tmp_path: Path, home: Path
) -> None:
    printer = Printer(tmp_path / "runs", "first", "second")
    with Server(Model("2.0.43")) as server:
        server.auth.proxy_tokens = {"second"}
        deployment = Deployment(
            endpoint=server.endpoint,
            insecure=True,
            credentials=Credentials(proxy_command=printer.command),
        )
        transport, http = await open_transport(deployment, "tests")
        authenticator = make_authenticator(
            deployment, transport, http, LoginStore(deployment, home), LogPrompt(), Timing()
        )
        assert authenticator is not None
        rejected = await authenticator.current()
        assert rejected.headers.reveal() == (("proxy-authorization", "Bearer first"),)
        renewed = await authenticator.renew(rejected)
        assert renewed.headers.reveal() == (("proxy-authorization", "Bearer second"),)
        await authenticator.close()
        await transport.close()
        await http.close()


def test_insecure_needs_no_authenticator() -> None:
    deployment = Deployment(endpoint="localhost:8090", insecure=True)
    nothing: Any = None
    made = make_authenticator(deployment, nothing, nothing, nothing, nothing, Timing())
    assert made is None
