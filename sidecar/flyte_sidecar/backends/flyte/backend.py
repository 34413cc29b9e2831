"""A Flyte deployment as an EventBackend. What it needs is loaded when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from flyte_sidecar._futures import wait_all
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc.error_translation import translate_errors
from flyte_sidecar.backends.flyte.rpc.transport import RpcError
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


UNKNOWN_RUN = 5.0
"""Seconds between two looks at whether there is a run that is watched."""


class FlyteBackend:
    """Events of the runs of a Flyte deployment, by its RunService.

    Parameters
    ----------
    deployment
        Where it is. Nothing is sent there before the first request.
    user_agent
        How the sidecar calls itself.
    """

    kind = "flyte"
    knows_expiry = False

    def __init__(self, deployment: Deployment, user_agent: str) -> None:
        self.endpoint: str | None = deployment.address
        self.org = deployment.default_org
        self.project = deployment.project
        self.domain = deployment.domain
        self.proxy = deployment.proxy
        self._deployment = deployment
        self._user_agent = user_agent
        self._connecting: asyncio.Future[FlyteSession] | None = None

    async def find(self, target: Target) -> Event | None:
        async with self._connected(target.run) as its:
            exists = _may_exist(target) and await self._knows(its, target.run)
            return await its.reader.find(target) if exists else None

    async def choices(self, target: Target) -> Sequence[Event]:
        async with self._connected(target.run) as its:
            exists = _may_exist(target) and await self._knows(its, target.run)
            return await its.reader.choices(target) if exists else []

    async def page(self, query: Query) -> EventPage:
        async with self._connected(query.run) as its:
            if query.cursor is None and not (
                _is_name(query.run.name) and await self._knows(its, query.run)
            ):
                return EventPage(events=[], next_cursor=None)
            return await its.pages.page(query)

    async def pending(self, query: PendingQuery) -> EventPage:
        async with self._connected(query.scope) as its:
            return await its.pages.pending(query)

    async def runs(self, query: RunsQuery) -> RunPage:
        async with self._connected(query.scope) as its:
            return await its.runs.page(query)

    async def watch(self, watch: WatchFeed) -> None:
        run = watch.selector.run
        async with self._connected(watch.selector.scope) as its:
            while run is not None and not (_is_name(run.name) and await self._knows(its, run)):
                watch.sync()  # there is nothing to tell, until there is such a run
                await asyncio.sleep(UNKNOWN_RUN)
            await its.watch(watch)

    async def create(self, new: NewEvent) -> Event:
        raise UnsupportedByBackend("only a run itself makes events on Flyte")

    async def signal(self, event: Event, payload: Payload) -> Event:
        async with self._connected(event.run) as its:
            return await its.writer.signal(event, payload)

    async def abort(self, event: Event, reason: str | None) -> Event:
        if reason is not None and not _is_text(reason):
            raise InvalidParams("the backend keeps no such text", path="/reason")
        async with self._connected(event.run) as its:
            return await its.writer.abort(event, reason)

    async def resolved(self, event: Event) -> Event:
        async with self._connected(event.run) as its:
            return await its.informers.resolved(event)

    async def healthy(self) -> bool:
        try:
            await self.check()
        except SidecarError:
            return False
        return True

    async def check(self) -> None:
        """Raise what keeps the deployment from being used, if anything does."""
        async with self._connected() as its:
            await its.service.check(Scope(self.org, self.project, self.domain))

    async def scope_error(self) -> str | None:
        """Return what is wrong with the connection's project or domain; None if nothing is known.

        A listing of a project that does not exist is empty, and no error.
        """
        if not self.project:
            return None
        connected = await self._connect()
        try:
            domains = await connected.service.domains(self.project, self.org)
        except RpcError:
            return None
        if domains is None:
            return f"there is no project {self.project!r}"
        if self.domain and domains and self.domain not in domains:
            return f"{self.project!r} has no domain {self.domain!r}, only {', '.join(domains)}"
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
        """Give the connection; a call of it that fails raises an error of the contract.

        Flyte takes no run without project and domain.
        """
        if where is not None:
            for member in ("project", "domain"):
                given = getattr(where, member)
                if not given:
                    words = f"no {member}: the request names none, and the connection has none"
                    raise InvalidParams(words, path=f"/{member}")
            for member in ("project", "domain", "org"):
                if not _is_text(getattr(where, member) or ""):
                    raise InvalidParams(f"there can be no such {member}", path=f"/{member}")
        with translate_errors(self._deployment.route):
            yield await self._connect()

    async def _connect(self) -> FlyteSession:
        """Give the connection, and make it first if there is none; a failure is not kept."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._make())
            self._connecting.add_done_callback(self._made)
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if connecting.cancelled() and task is not None and not task.cancelling():
                raise ShuttingDown("the connection is being closed") from None
            raise

    async def _make(self) -> FlyteSession:
        # Loading takes a tenth of a second, in which the loop goes on.
        connected = await asyncio.to_thread(import_module, "flyte_sidecar.backends.flyte.session")
        made: FlyteSession = await connected.connect(self._deployment, self._user_agent)
        return made

    def _made(self, connecting: asyncio.Future[FlyteSession]) -> None:
        failed = connecting.cancelled() or connecting.exception() is not None
        if failed and self._connecting is connecting:
            self._connecting = None

    async def _knows(self, its: FlyteSession, run: Run) -> bool:
        """Tell whether there may be such a run as far as its org goes.

        Open-source deployments know no orgs, and answer whichever is named.
        """
        return run.org == self.org or await its.lister.has_org(run)


def _may_exist(target: Target) -> bool:
    if not _is_name(target.run.name):
        return False
    if target.action_name is not None:
        return _is_name(target.action_name)
    return target.name is not None and _is_text(target.name)  # an event's name may be empty


def _is_name(text: str) -> bool:
    """Tell whether a text can be a name at all."""
    return bool(text) and _is_text(text)


def _is_text(text: str) -> bool:
    """Tell whether the backend can keep a text: of others it makes an error of its own."""
    try:
        return "\0" not in text and text.encode() is not None
    except UnicodeEncodeError:
        return False
