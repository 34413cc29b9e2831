"""A Flyte deployment as an EventBackend; grpc and protobuf are imported with its first use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

from flyte_sidecar._futures import wait_all
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc.error_translation import translate_errors
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import InvalidParams, ShuttingDown, SidecarError, UnsupportedByBackend
from flyte_sidecar.events.model import (
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
)
from flyte_sidecar.events.watch_feed import WatchFeed

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte.session import FlyteSession


class FlyteBackend:
    """The events of the runs of a Flyte deployment, through its RunService.

    Parameters
    ----------
    deployment
        Its endpoint and credentials. Nothing is sent before the first request.
    user_agent
        The name of this client.
    timing
        The intervals and timeouts.
    """

    kind = "flyte"
    knows_expiry = False

    def __init__(
        self, deployment: Deployment, user_agent: str, timing: Timing | None = None
    ) -> None:
        self.endpoint: str | None = deployment.address
        self.org = deployment.default_org
        self.project = deployment.project
        self.domain = deployment.domain
        self.proxy = deployment.proxy
        self._deployment = deployment
        self._user_agent = user_agent
        self._timing = timing or Timing()
        self._connecting: asyncio.Future[FlyteSession] | None = None

    async def find(self, target: Target) -> Event | None:
        async with self._connected(target.run) as session:
            exists = _may_exist(target) and await self._may_know(session, target.run)
            return await session.reader.find(target) if exists else None

    async def choices(self, target: Target) -> Sequence[Event]:
        async with self._connected(target.run) as session:
            exists = _may_exist(target) and await self._may_know(session, target.run)
            return await session.reader.choices(target) if exists else []

    async def page(self, query: Query) -> EventPage:
        async with self._connected(query.run) as session:
            if query.cursor is None and not (
                _is_name(query.run.name) and await self._may_know(session, query.run)
            ):
                return EventPage(events=[], next_cursor=None)
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
                _is_name(run.name) and await self._may_know(session, run)
            ):
                watch.sync()  # it is empty until the run exists
                await asyncio.sleep(self._timing.unknown_run_interval)
            await session.watch(watch)

    async def create(self, new: NewEvent) -> Event:
        raise UnsupportedByBackend("on Flyte, only the run itself can create events")

    async def signal(self, event: Event, payload: Payload) -> Event:
        async with self._connected(event.run) as session:
            return await session.writer.signal(event, payload)

    async def abort(self, event: Event, reason: str | None) -> Event:
        if reason is not None and not _is_text(reason):
            words = "`reason` contains characters that the backend cannot store"
            raise InvalidParams(words, path="/reason")
        async with self._connected(event.run) as session:
            return await session.writer.abort(event, reason)

    async def resolved(self, event: Event) -> Event:
        async with self._connected(event.run) as session:
            return await session.informers.resolved(event)

    def snapshot(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def healthy(self) -> bool:
        try:
            await self.check()
        except SidecarError:
            return False
        return True

    async def check(self) -> None:
        """Raise what keeps the deployment from being used, if anything does."""
        async with self._connected() as session:
            await session.service.check(Scope(self.org, self.project, self.domain))

    async def scope_error(self) -> str | None:
        """Return what is wrong with the connection's project or domain, None if nothing is.

        A listing of a project that does not exist is empty, and no error.
        """
        if not self.project:
            return None
        session = await self._connect()
        try:
            domains = await session.service.domains(self.project, self.org)
        except RpcError:
            return None
        if domains is None:
            return f"project {self.project!r} does not exist"
        if self.domain and domains and self.domain not in domains:
            known = ", ".join(domains)
            return f"project {self.project!r} has no domain {self.domain!r}; it has: {known}"
        return None

    async def close(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
            await wait_all([connecting])
            if not connecting.cancelled() and connecting.exception() is None:
                await connecting.result().close()

    @asynccontextmanager
    async def _connected(self, where: Run | Scope | None = None) -> AsyncIterator[FlyteSession]:
        """Yield the session; a call that fails in it raises an error of the contract.

        Flyte requires a project and a domain.
        """
        if where is not None:
            for member in ("project", "domain"):
                if not getattr(where, member):
                    words = f"`{member}` is required: the connection has no default"
                    raise InvalidParams(words, path=f"/{member}")
            for member in ("project", "domain", "org"):
                if not _is_text(getattr(where, member) or ""):
                    words = f"`{member}` contains characters that the backend cannot store"
                    raise InvalidParams(words, path=f"/{member}")
        with translate_errors(self._deployment.route):
            yield await self._connect()

    async def _connect(self) -> FlyteSession:
        """Return the session, created if there is none; a failure is not kept."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._open())
            self._connecting.add_done_callback(self._opened)
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if connecting.cancelled() and task is not None and not task.cancelling():
                raise ShuttingDown("the connection is being closed") from None
            raise

    async def _open(self) -> FlyteSession:
        # Importing grpc takes a tenth of a second, in which the loop goes on.
        module = await asyncio.to_thread(import_module, "flyte_sidecar.backends.flyte.session")
        session: FlyteSession = await module.connect(
            self._deployment, self._user_agent, self._timing
        )
        return session

    def _opened(self, connecting: asyncio.Future[FlyteSession]) -> None:
        failed = connecting.cancelled() or connecting.exception() is not None
        if failed and self._connecting is connecting:
            self._connecting = None

    async def _may_know(self, session: FlyteSession, run: Run) -> bool:
        """Return whether there may be such a run, as far as its org shows.

        Open-source deployments ignore orgs.
        """
        return run.org == self.org or await session.lister.has_org(run)


def _may_exist(target: Target) -> bool:
    if not _is_name(target.run.name):
        return False
    if target.action_name is not None:
        return _is_name(target.action_name)
    return target.name is not None and _is_text(target.name)  # an event's name may be empty


def _is_name(text: str) -> bool:
    """Return whether a text can be the name of a run or an action."""
    return bool(text) and _is_text(text)


def _is_text(text: str) -> bool:
    """Return whether the backend can store a text; others cause an error of its own."""
    try:
        return "\0" not in text and text.encode() is not None
    except UnicodeEncodeError:
        return False
