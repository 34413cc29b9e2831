"""Connections to a deployment with a login, and the person who logs in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from flyteidl2.workflow.run_service_pb2 import ListRunsRequest, ListRunsResponse
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.auth.authenticated_transport import AuthenticatedTransport
from flyte_sidecar.backends.flyte.auth.authenticator import make_authenticator
from flyte_sidecar.backends.flyte.auth.authorization import Authenticator, Login
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginRequest
from flyte_sidecar.backends.flyte.auth.login_store import LoginStore
from flyte_sidecar.backends.flyte.credentials import Credentials, Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from flyte_sidecar.backends.flyte.rpc.open_transport import open_transport
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcMethod, RpcTransport
from flyte_sidecar.backends.flyte.timing import Timing
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FAST
from tests.oidc_provider.person import visit

LIST_RUNS = RpcMethod("ListRuns", ListRunsRequest, ListRunsResponse)
CALL_TIMEOUT = 60.0

QUICK = replace(FAST, device_poll_interval=0.05, device_slow_down=0.05, login_linger=0.0)
"""Short intervals between checks of a login on another device, and before an unused one ends."""


def wait_for_file(file: Path) -> None:
    """Wait until another process has created a file."""
    deadline = time.monotonic() + TEST_TIMEOUT
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Rejected(set[str]):
    """All tokens except these."""

    def __contains__(self, token: object) -> bool:
        return not super().__contains__(token)


class Person:
    """A `LoginPrompt` whose person logs in, or does something else.

    Attributes
    ----------
    required, ended
        What was shown.
    asked_again
        How often the person has asked for logins again.
    does
        What the person does with the URL, in a thread.
    """

    def __init__(self, ca_file: str) -> None:
        self.ca_file = ca_file
        self.asked_again = 0
        self.required_logins: list[LoginRequest] = []
        self.ended_logins: list[tuple[LoginRequest, str | None]] = []
        self.does: Callable[[str], object] = self.logs_in
        self.asked = asyncio.Event()
        self._acts: set[asyncio.Future[object]] = set()

    def logs_in(self, url: str) -> None:
        visit(self.ca_file, url)

    def denies(self, url: str) -> None:
        visit(self.ca_file, url, abort=True)

    def ignores(self, url: str) -> None:
        pass

    def required(self, login: LoginRequest) -> None:
        self.required_logins.append(login)
        self._acts.add(asyncio.ensure_future(asyncio.to_thread(self.does, login.url)))
        self.asked.set()

    def ended(self, login: LoginRequest, error: str | None) -> None:
        self.ended_logins.append((login, error))

    async def finish(self) -> None:
        """Wait until the person has done everything."""
        await asyncio.gather(*self._acts)


class Connection(msgspec.Struct):
    """A connection to a deployment, with everything that logs in.

    Attributes
    ----------
    http
        Sends the requests to the provider.
    unauthenticated
        Sends calls without a login.
    """

    deployment: Deployment
    transport: AuthenticatedTransport
    authenticator: Authenticator
    store: LoginStore
    http: HttpClient
    unauthenticated: RpcTransport

    async def call(self) -> ListRunsResponse:
        """Call the deployment."""
        return await self.transport.call(LIST_RUNS, ListRunsRequest(), CALL_TIMEOUT, ())

    async def stored(self) -> tuple[str, str | None] | None:
        """Return the tokens that are stored."""
        found = await self.store.read()
        if found is None:
            return None
        refresh = found.login.refresh_token
        return found.login.access_token.reveal(), refresh and refresh.reveal()

    async def keep(self, access: str, refresh: str | None) -> None:
        """Store tokens, as another process does."""
        login = Login(Secret(access), None if refresh is None else Secret(refresh))
        assert await self.store.write(login, None)


class Connect:
    """Opens connections of the sidecar to a deployment."""

    def __init__(self, endpoint: str, ca_file: str, home: Path, person: Person) -> None:
        self.endpoint = endpoint
        self._ca_file = ca_file
        self._home = home
        self._person = person

    @asynccontextmanager
    async def __call__(
        self,
        auth_type: Any = "Pkce",
        timing: Timing = QUICK,
        *,
        config_named: bool = True,
        **credentials: Any,
    ) -> AsyncIterator[Connection]:
        deployment = Deployment(
            endpoint=self.endpoint,
            ca_cert_file=self._ca_file,
            config_named=config_named,
            credentials=Credentials(auth_type=auth_type, source="tests", **credentials),
        )
        transport, http = await open_transport(deployment, "tests")
        store = LoginStore(deployment, self._home / "state")
        authenticator = make_authenticator(deployment, transport, http, store, self._person, timing)
        assert authenticator is not None
        authenticated = AuthenticatedTransport(transport, authenticator)
        try:
            yield Connection(deployment, authenticated, authenticator, store, http, transport)
        finally:
            await authenticated.close()
            await http.close()
            await self._person.finish()
