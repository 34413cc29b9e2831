"""A Flyte deployment as an EventBackend; grpc and protobuf are imported with its first use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from flyte_sidecar._futures import run_in_thread, wait_all
from flyte_sidecar.backends.flyte.auth.interactive.prompt import (
    LoginPrompt,
    LogPrompt,
    without_login,
)
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.names import (
    is_storable_text,
    is_valid_name,
    target_may_exist,
)
from flyte_sidecar.backends.flyte.rpc.error_translation import translate_errors
from flyte_sidecar.backends.flyte.rpc.rpc_transport import Protocol, RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import (
    InvalidParams,
    ShuttingDown,
    SidecarError,
    UnsupportedByBackend,
)
from flyte_sidecar.events.model import (
    BackendName,
    Event,
    EventPage,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    Run,
    RunPage,
    RunsQuery,
    Scope,
    Target,
    TaskName,
)
from flyte_sidecar.events.watch_feed import WatchFeed

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte.auth.login_store import LoginStore
    from flyte_sidecar.backends.flyte.session import FlyteSession


class FlyteBackend:
    """The events of the runs of a Flyte deployment, through its RunService.

    Parameters
    ----------
    deployment
        Its endpoint, TLS options and defaults. Nothing is sent before the first request.
    user_agent
        The name and version that the deployment's logs show.
    timing
        Intervals, timeouts and rates.
    prompt
        Shows logins to a person; None for the log.
    state_folder
        The user's folder for the state of all sidecars; without one, logins are not coordinated
        between processes.

    Attributes
    ----------
    config_file
        The path of the config file that describes the deployment; None if there is none.
    """

    kind = "flyte"
    knows_expiry = False

    def __init__(
        self,
        deployment: Deployment,
        user_agent: str,
        timing: Timing | None = None,
        *,
        prompt: LoginPrompt | None = None,
        state_folder: Path | None = None,
    ) -> None:
        self.endpoint: str | None = deployment.address
        self.org = deployment.default_org
        self.project = deployment.project
        self.domain = deployment.domain
        self.config_file = deployment.config_file
        self.deployment = deployment
        self._user_agent = user_agent
        self._timing = timing or Timing()
        self._prompt = prompt or LogPrompt()
        self._state_folder = state_folder
        self._connecting: asyncio.Future[FlyteSession] | None = None

    @cached_property
    def login_store(self) -> LoginStore:
        """The stored login of the deployment."""
        from flyte_sidecar.backends.flyte.auth.login_store import LoginStore

        return LoginStore(self.deployment, self._state_folder)

    @property
    def protocol(self) -> Protocol | None:
        """How calls are sent now; None before the first one."""
        session = self._session
        return None if session is None else session.service.protocol

    def scope(self, org: str | None, project: str | None, domain: str | None) -> Scope:
        return Scope(org or self.org, project or self.project, domain or self.domain)

    def name_of(self, scope: Scope) -> BackendName:
        return self.kind

    def order_key(self, run: Run) -> Run:
        return run

    async def find(self, target: Target) -> Event | None:
        async with self._connected(target.run) as session:
            exists = target_may_exist(target) and await self._org_may_exist(session, target.run)
            return await session.reader.find(target) if exists else None

    async def choices(self, target: Target) -> Sequence[Event]:
        async with self._connected(target.run) as session:
            exists = target_may_exist(target) and await self._org_may_exist(session, target.run)
            return await session.reader.choices(target) if exists else []

    async def page(self, query: Query) -> EventPage:
        async with self._connected(query.run) as session:
            if query.cursor is None and not (
                is_valid_name(query.run.name) and await self._org_may_exist(session, query.run)
            ):
                return EventPage(events=[], next_cursor=None, unavailable=[])
            return await session.pages.page(query)

    async def pending(self, query: PendingQuery) -> EventPage:
        async with self._connected(query.scope) as session:
            return await session.pages.pending(query)

    async def runs(self, query: RunsQuery) -> RunPage:
        async with self._connected(query.scope) as session:
            return await session.runs.page(query)

    async def watch(self, watch: WatchFeed) -> None:
        run = watch.selector.run
        async with self._connected(watch.selector.scope) as session:
            while run is not None and not (
                is_valid_name(run.name) and await self._org_may_exist(session, run)
            ):
                watch.sync()  # there are no events until the run exists
                await asyncio.sleep(self._timing.unknown_run_interval)
            await session.watch(watch)

    async def create(self, new: NewEvent) -> Event:
        raise UnsupportedByBackend("on Flyte, only the run itself can create events")

    async def signal(self, event: Event, payload: Payload) -> Event:
        async with self._connected(event.run) as session:
            return await session.writer.signal(event, payload)

    async def abort(self, event: Event, reason: str | None) -> Event:
        if reason is not None and not is_storable_text(reason):
            message = "`reason` contains characters that the backend cannot store"
            raise InvalidParams(message, path="/reason")
        async with self._connected(event.run) as session:
            return await session.writer.abort(event, reason)

    async def resolved(self, event: Event) -> Event:
        async with self._connected(event.run) as session:
            return await session.informers.resolved(event)

    async def parent_task(self, event: Event) -> TaskName | None:
        if event.parent is None:
            return None
        try:
            async with self._connected(event.run) as session:
                return await session.task_names.read(event.run, event.parent)
        except SidecarError:
            return None

    def snapshot(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def healthy(self) -> bool:
        try:
            await self.check()
        except SidecarError:
            return False
        return True

    async def check(self) -> None:
        """Check the connection by a cheap call; raise an error if it fails.

        Asks no person to log in.
        """
        with without_login():
            async with self._connected() as session:
                await session.service.check(Scope(self.org, self.project, self.domain))

    async def check_answers(self) -> None:
        """Check that events can be answered; raise an error if not. Nothing is changed."""
        run = Run(self.org, self.project, self.domain, "checked-by-flyte-sidecar")
        with without_login():
            async with self._connected() as session:
                await session.service.check_signals(run)

    async def login(self) -> None:
        """Obtain new headers for all requests, by whatever the config needs.

        May ask a person to log in; raises an error if that fails.
        """
        async with self._connected() as session:
            await session.login()

    async def scope_error(self) -> str | None:
        """Return why the default project or domain is invalid; None if it is valid or unknown.

        Without this check a wrong project goes unnoticed: its listings are empty.
        """
        if not self.project:
            return None
        session = await self._connect()
        try:
            with without_login():
                domains = await session.service.domains(self.project, self.org)
        except RpcError:
            return None
        if domains is None:
            return f"project {self.project!r} does not exist"
        if self.domain and domains and self.domain not in domains:
            existing = ", ".join(domains)
            return f"project {self.project!r} has no domain {self.domain!r}; it has: {existing}"
        return None

    async def settle(self) -> None:
        session = self._session
        if session is not None:
            await session.settle()

    async def close(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
            await wait_all([connecting])
            if not connecting.cancelled() and connecting.exception() is None:
                await connecting.result().close()

    @property
    def _session(self) -> FlyteSession | None:
        """The session; None if it is not open."""
        connecting = self._connecting
        if connecting is None or not connecting.done() or connecting.cancelled():
            return None
        return None if connecting.exception() is not None else connecting.result()

    @asynccontextmanager
    async def _connected(self, scope: Run | Scope | None = None) -> AsyncIterator[FlyteSession]:
        """Yield the session, and translate errors; check the scope, since Flyte requires one."""
        if scope is not None:
            for member in ("project", "domain"):
                if not getattr(scope, member):
                    message = f"`{member}` is required: the connection has no default"
                    raise InvalidParams(message, path=f"/{member}")
            for member in ("project", "domain", "org"):
                if not is_storable_text(getattr(scope, member) or ""):
                    message = f"`{member}` contains characters that the backend cannot store"
                    raise InvalidParams(message, path=f"/{member}")
        with translate_errors(self.deployment.route):
            yield await self._connect()

    async def _connect(self) -> FlyteSession:
        """Return the session; create it if there is none, or if creating it has failed."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._open())
            self._connecting.add_done_callback(self._on_open)
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if connecting.cancelled() and task is not None and not task.cancelling():
                raise ShuttingDown("the connection is being closed") from None
            raise

    async def _open(self) -> FlyteSession:
        # Importing grpc takes a tenth of a second, which must not block the loop.
        module = await run_in_thread(import_module, "flyte_sidecar.backends.flyte.session")
        session: FlyteSession = await module.connect(
            self.deployment, self._user_agent, self._timing, self._prompt, self.login_store
        )
        return session

    def _on_open(self, connecting: asyncio.Future[FlyteSession]) -> None:
        failed = connecting.cancelled() or connecting.exception() is not None
        if failed and self._connecting is connecting:
            self._connecting = None

    async def _org_may_exist(self, session: FlyteSession, run: Run) -> bool:
        """Return whether the deployment may have runs of the org of a run.

        Open-source deployments ignore orgs, and would return runs of any.
        """
        return run.org == self.org or await session.lister.has_org(run)
