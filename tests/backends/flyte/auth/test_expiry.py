"""Tokens that expire while many requests and watches use them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt
from flyte_sidecar.backends.flyte.credentials import Credentials
from flyte_sidecar.errors import Unauthenticated
from tests.backends.flyte.auth.connection import QUICK, Connect, Person, Rejected
from tests.backends.flyte.scenarios import until
from tests.contract.harness import RUN, BackendClient
from tests.fake_runservice.server import Server
from tests.oidc_provider.provider import Provider

REQUESTS = 200
STREAM = "WatchActions"
OTHER_RUN = "r2"


class LoginHarness:
    """A backend on a deployment that requires a login."""

    can_create = False

    def __init__(self, endpoint: str, ca_file: str, home: Path, prompt: LoginPrompt) -> None:
        deployment = Deployment(
            endpoint=endpoint,
            ca_cert_file=ca_file,
            project=RUN.project,
            domain=RUN.domain,
            credentials=Credentials(auth_type="DeviceFlow", source="tests"),
        )
        self._backend = FlyteBackend(
            deployment, "tests", QUICK, prompt=prompt, state_folder=home / "state"
        )

    def backend(self) -> FlyteBackend:
        return self._backend

    async def close(self) -> None:
        await self._backend.close()


@pytest.fixture
async def client(
    deployment: Server, ca_file: str, home: Path, person: Person
) -> AsyncIterator[BackendClient]:
    client = BackendClient(LoginHarness(deployment.endpoint, ca_file, home, person))
    yield client
    await client.close()


def ask(server: Server, name: str, run: str = RUN.name) -> str:
    project, domain = RUN.project, RUN.domain
    return server.model.ask(run, name, project=project or "", domain=domain or "")


@pytest.mark.parametrize(
    ("server", "ending"),
    [("grpc", "expire_streams"), ("grpc", "drop_streams"), ("connect", "drop_streams")],
    indirect=["server"],
)
async def test_a_token_that_expires_during_requests_and_watches_is_refreshed_once(
    ending: str,
    client: BackendClient,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
) -> None:
    for run in (RUN.name, OTHER_RUN):
        ask(deployment, f"{run}-first", run)
    await client.runs()
    [token] = [exchange["response"]["access_token"] for exchange in provider.issued]
    provider.exchanges.clear()
    other = RUN.__class__(RUN.org, RUN.project, RUN.domain, OTHER_RUN)
    watches = [client.watch(), client.watch(other), client.watch(None)]
    names = [[f"{RUN.name}-first"], [f"{OTHER_RUN}-first"]]
    for watching, pending in zip(watches, [*names, names[0] + names[1]], strict=True):
        await watching.pending(pending)
    await until(lambda: deployment.open_streams[STREAM] >= 2)

    deployment.faults.delay["ListRuns"] = 0.05
    deployment.calls.clear()
    requests = [asyncio.ensure_future(client.runs_page()) for _ in range(REQUESTS // 2)]
    await until(lambda: deployment.calls["ListRuns"] >= 50)
    rejected.add(token)
    getattr(deployment.faults, ending)()
    requests += [asyncio.ensure_future(client.runs_page()) for _ in range(REQUESTS // 2)]
    pages = await asyncio.gather(*requests)
    assert {len(page.runs) for page in pages} == {2}

    for run in (RUN.name, OTHER_RUN):
        ask(deployment, f"{run}-second", run)
    names = [[*first, first[0].replace("first", "second")] for first in names]
    for watching, pending in zip(watches, [*names, names[0] + names[1]], strict=True):
        await watching.pending(pending)
    await until(lambda: deployment.open_streams[STREAM] >= 2)
    assert [exchange["request"]["grant_type"] for exchange in provider.exchanges] == [
        "refresh_token"
    ]
    assert len(person.required_logins) == 1
    assert len(deployment.auth.rejections) > 1


@pytest.mark.parametrize("server", ["grpc", "connect"], indirect=True)
async def test_a_watch_goes_on_through_many_expiries(
    client: BackendClient, deployment: Server, provider: Provider, rejected: Rejected
) -> None:
    watching = client.watch()
    await watching.synced()
    expected = []
    for number in range(5):
        rejected.add(provider.issued[-1]["response"]["access_token"])
        deployment.faults.drop_streams()
        ask(deployment, f"q{number}")
        expected.append(f"q{number}")
        await watching.pending(expected)
        await client.runs()
    refreshed = [e["request"]["grant_type"] for e in provider.issued]
    assert refreshed.count("refresh_token") == 5


async def test_a_watch_without_a_valid_login_ends_with_that_error(
    client: BackendClient,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
    connect: Connect,
) -> None:
    ask(deployment, "q")
    watching = client.watch()
    await watching.pending(["q"])
    await until(lambda: deployment.open_streams[STREAM] == 1)
    person.does = person.denies
    rejected.update({"old", provider.issued[-1]["response"]["access_token"]})
    async with connect() as other:
        await other.keep("old", "unkn0wn-token")
    deployment.faults.expire_streams()
    error = await watching.error()
    assert isinstance(error, Unauthenticated)
    assert "the login was denied" in error.message
