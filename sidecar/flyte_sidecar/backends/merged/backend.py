"""The embedded store and a Flyte deployment as one EventBackend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec.structs import replace

from flyte_sidecar._futures import MaybeAwaitable, resolve
from flyte_sidecar.backends.merged.listing import E, MergedPage, Read, merge_pages
from flyte_sidecar.backends.merged.patient_reads import PatientReads
from flyte_sidecar.backends.merged.timing import MergeTiming
from flyte_sidecar.errors import CursorExpired, StoreBusy, StoreFailure
from flyte_sidecar.events.attended_logins import AttendedLogins
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import (
    ANY_SCOPE,
    BackendName,
    Event,
    EventPage,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    Run,
    RunInfo,
    RunPage,
    RunsQuery,
    Scope,
    Target,
    TaskName,
)

if TYPE_CHECKING:
    from flyte_sidecar.events.watch_feed import WatchFeed

Q = TypeVar("Q", PendingQuery, RunsQuery)
T = TypeVar("T")


class Store(EventBackend, Protocol):
    """The embedded store."""

    def has_run(self, run: Run) -> MaybeAwaitable[bool]:
        """Return whether an event of a run was ever created."""


class MergedBackend:
    """The events of the embedded store and of a Flyte deployment.

    The scope of a request decides which of the two answers it:

    - The store's own project and domain: the store.
    - Any other scope: the deployment, with its defaults for what is omitted.
    - No scope, and a run: the store if it has events of the run, else the deployment.
    - No scope, and no run: both. If one cannot be read, the other answers alone.

    Parameters
    ----------
    local, flyte
        The store and the deployment.
    logins
        The logins at the deployment for which listings wait.

    Attributes
    ----------
    endpoint, org, project, domain
        Those of the deployment.
    """

    kind = "all"
    knows_expiry = False

    def __init__(
        self,
        local: Store,
        flyte: EventBackend,
        timing: MergeTiming | None = None,
        logins: AttendedLogins | None = None,
    ) -> None:
        self.local = local
        self.flyte = flyte
        self.endpoint = flyte.endpoint
        self.org = flyte.org
        self.project = flyte.project
        self.domain = flyte.domain
        self._timing = timing or MergeTiming()
        self._patient_reads = PatientReads(self._timing.response_timeout, logins)
        self._local_scope = local.scope(None, None, None)
        self._flyte_scope = flyte.scope(None, None, None)

    def scope(self, org: str | None, project: str | None, domain: str | None) -> Scope:
        if not (org or project or domain):
            return ANY_SCOPE
        local = self.local.scope(org, project, domain)
        return local if local == self._local_scope else self.flyte.scope(org, project, domain)

    def order_key(self, run: Run) -> Run:
        may_be_any = run.scope in (ANY_SCOPE, self._local_scope, self._flyte_scope)
        return ANY_SCOPE.run(run.name) if may_be_any else run

    def name_of(self, scope: Scope) -> BackendName:
        return self._backend_of(scope).kind

    def find(self, target: Target) -> MaybeAwaitable[Event | None]:
        return self._read(target.run, lambda of, run: of.find(replace(target, run=run)))

    def choices(self, target: Target) -> MaybeAwaitable[Sequence[Event]]:
        return self._read(target.run, lambda of, run: of.choices(replace(target, run=run)))

    def page(self, query: Query) -> MaybeAwaitable[EventPage]:
        return self._read(query.run, lambda of, run: of.page(replace(query, run=run)))

    def pending(self, query: PendingQuery) -> MaybeAwaitable[EventPage]:
        if query.scope != ANY_SCOPE:
            return self._backend_of(query.scope).pending(query)
        return self._pending(query)

    def runs(self, query: RunsQuery) -> MaybeAwaitable[RunPage]:
        if query.scope != ANY_SCOPE:
            return self._backend_of(query.scope).runs(query)
        return self._runs(query)

    def create(self, new: NewEvent) -> Awaitable[Event]:
        if new.run.scope == ANY_SCOPE:
            new = replace(new, run=self._local_scope.run(new.run.name))
        backend = self._backend_of(new.run.scope)
        return self._write(backend, backend.create(new))

    def signal(self, event: Event, payload: Payload) -> Awaitable[Event]:
        backend = self._backend_of(event.run.scope)
        return self._write(backend, backend.signal(event, payload))

    def abort(self, event: Event, reason: str | None) -> Awaitable[Event]:
        backend = self._backend_of(event.run.scope)
        return self._write(backend, backend.abort(event, reason))

    async def resolved(self, event: Event) -> Event:
        return await self._backend_of(event.run.scope).resolved(event)

    async def watch(self, watch: WatchFeed) -> None:
        scope, name = watch.selector.scope, watch.selector.run_name
        if scope != ANY_SCOPE:
            await self._backend_of(scope).watch(watch)
            return
        from flyte_sidecar.backends.merged.watch import MergedWatch  # most clients never watch

        backends: list[tuple[EventBackend, Scope]] = [(self.local, self._local_scope)]
        if name is None or not await self._is_known_in_store(name):
            backends.append((self.flyte, self._flyte_scope))
        await MergedWatch(watch, backends, self._timing).run()

    async def parent_task(self, event: Event) -> TaskName | None:
        return await self._backend_of(event.run.scope).parent_task(event)

    def snapshot(self) -> AbstractContextManager[None]:
        return self.local.snapshot()  # reads of the deployment never return immediately

    async def healthy(self) -> bool:
        return all(await asyncio.gather(self.local.healthy(), self.flyte.healthy()))

    async def settle(self) -> None:
        await asyncio.gather(self.local.settle(), self.flyte.settle())

    async def close(self) -> None:
        await asyncio.gather(self.local.close(), self.flyte.close())
        await self._patient_reads.close()

    def _backend_of(self, scope: Scope) -> EventBackend:
        """Return the backend of a scope that is not `ANY_SCOPE`."""
        return self.local if scope == self._local_scope else self.flyte

    def _read(
        self, run: Run, read: Callable[[EventBackend, Run], MaybeAwaitable[T]]
    ) -> MaybeAwaitable[T]:
        if run.scope != ANY_SCOPE:
            return read(self._backend_of(run.scope), run)
        return self._read_without_scope(run.name, read)

    async def _read_without_scope(
        self, name: str, read: Callable[[EventBackend, Run], MaybeAwaitable[T]]
    ) -> T:
        failure: StoreFailure | None = None
        try:
            if await self._store_has_run(name):
                return await resolve(read(self.local, self._local_scope.run(name)))
        except StoreFailure as error:
            failure = error
        try:
            found = await resolve(read(self.flyte, self._flyte_scope.run(name)))
        except CursorExpired:
            if failure is not None:
                raise failure from None  # the cursor may be the store's
            raise
        if failure is not None and not (found.events if isinstance(found, EventPage) else found):
            raise failure  # the store may have it
        return found

    async def _store_has_run(self, name: str) -> bool:
        """Return whether the store has events of a run.

        Raises
        ------
        StoreFailure
            If the store cannot be read in time.
        """
        has_run = self.local.has_run(self._local_scope.run(name))
        try:
            async with asyncio.timeout(self._timing.response_timeout):
                return await resolve(has_run)
        except TimeoutError:
            timeout = self._timing.response_timeout
            raise StoreBusy(f"the embedded store has not responded within {timeout:g} s") from None

    async def _is_known_in_store(self, name: str) -> bool:
        try:
            return await self._store_has_run(name)
        except StoreFailure:
            return False

    async def _write(self, backend: EventBackend, write: Awaitable[Event]) -> Event:
        try:
            return await write
        finally:
            self._patient_reads.end_write(backend.kind)

    async def _pending(self, query: PendingQuery) -> EventPage:
        async def read(
            backend: EventBackend, narrowed: PendingQuery
        ) -> tuple[Sequence[Event], str | None]:
            page = await resolve(backend.pending(narrowed))
            return page.events, page.next_cursor

        merged = await self._merge(read, query, "pending", _created_first)
        return EventPage(
            events=merged.entries,
            next_cursor=merged.next_cursor,
            unavailable=merged.unavailable,
        )

    async def _runs(self, query: RunsQuery) -> RunPage:
        async def read(
            backend: EventBackend, narrowed: RunsQuery
        ) -> tuple[Sequence[RunInfo], str | None]:
            page = await resolve(backend.runs(narrowed))
            return page.runs, page.next_cursor

        listing = "pending runs" if query.pending_only else "runs"
        merged = await self._merge(read, query, listing, _created_last)
        return RunPage(
            runs=merged.entries, next_cursor=merged.next_cursor, unavailable=merged.unavailable
        )

    async def _merge(
        self,
        read: Callable[[EventBackend, Q], Coroutine[Any, Any, tuple[Sequence[E], str | None]]],
        query: Q,
        listing: str,
        rank: Callable[[E], float],
    ) -> MergedPage[E]:
        def narrowed(backend: EventBackend, scope: Scope) -> Read[E]:
            return lambda cursor, limit: read(
                backend, replace(query, scope=scope, cursor=cursor, limit=limit)
            )

        return await merge_pages(
            {
                self.local.kind: narrowed(self.local, self._local_scope),
                self.flyte.kind: narrowed(self.flyte, self._flyte_scope),
            },
            self._patient_reads,
            listing=listing,
            rank=rank,
            limit=query.limit,
            max_bytes=query.max_bytes,
            cursor=query.cursor,
        )


def _created_first(event: Event) -> float:
    return -inf if event.created_at is None else event.created_at.timestamp()


def _created_last(run: RunInfo) -> float:
    return -inf if run.created_at is None else -run.created_at.timestamp()
