"""Runs, the last created first, and how many of their events are pending."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from flyteidl2.workflow import run_definition_pb2
from flyteidl2.workflow.run_service_pb2 import ListRunsResponse
from msgspec import DecodeError, Struct, ValidationError, json

from flyte_sidecar.backends.flyte.read.events import (
    MAX_CONCURRENT_READS,
    EventReader,
    chunks,
    map_concurrently,
)
from flyte_sidecar.backends.flyte.read.paused_actions import PausedActions
from flyte_sidecar.backends.flyte.rpc import limits
from flyte_sidecar.backends.flyte.rpc.enums import phase_name
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.rpc.timestamps import to_datetime
from flyte_sidecar.errors import CursorExpired
from flyte_sidecar.events.model import Run, RunInfo, RunPage, RunsQuery, Scope

UPDATED = "updated_at"


class RunCursor(Struct, frozen=True, array_like=True):
    """The position of a cursor in a listing of runs.

    Attributes
    ----------
    listing
        Digest of the params that all pages must have in common.
    created_until
        When the last listed run was created.
    seen
        Digests of the names of the listed runs that were created at the same instant.
    """

    listing: str
    created_until: datetime
    seen: tuple[str, ...]


class ListedRun(Struct, frozen=True):
    """One row of a listing of runs."""

    run: Run
    phase: str
    created_at: datetime


class RunLister:
    """Lists runs; every method raises only `RpcError`, and `page` also `CursorExpired`."""

    def __init__(self, service: RunService, reader: EventReader, own_org: str | None) -> None:
        self._service = service
        self._reader = reader
        self._own_org = own_org
        # Until the deployment rejects the filter, and the order.
        self._filters_by_creation = self._orders_by_update = True

    async def page(self, query: RunsQuery) -> RunPage:
        """Return one page of runs.

        A cursor contains an instant, not an offset, which new runs would shift.
        """
        listing = _digest(repr((query.scope, query.pending_only)))
        cursor = None if query.cursor is None else _decode_cursor(query.cursor, listing)
        runs: list[RunInfo] = []
        size = 0
        async for listed, count in self._counted(query, cursor):
            if count or not query.pending_only:
                info = _info(listed, count)
                size += len(json.encode(info)) + 1
                if runs and (size > query.max_bytes or len(runs) == query.limit):
                    assert cursor is not None
                    return RunPage(runs=runs, next_cursor=_encode_cursor(cursor), unavailable=[])
                runs.append(info)
            same_instant = cursor is not None and cursor.created_until == listed.created_at
            seen = cursor.seen if cursor is not None and same_instant else ()
            cursor = RunCursor(listing, listed.created_at, (*seen, _digest(listed.run.name)))
        return RunPage(runs=runs, next_cursor=None, unavailable=[])

    async def list_paused(self, scope: Scope) -> PausedActions:
        """Return the paused actions of all runs of a scope, which are listed when needed."""
        runs = await self.with_paused(scope)
        lister = self._reader.lister
        if runs:
            # So that details that are read as pending count as evidence. The oldest run is listed
            # first in any case.
            await lister.detect_phase_updates(runs[-1].run)
        return PausedActions([(run.run, run.created_at) for run in runs], lister.list_paused)

    async def with_paused(self, scope: Scope) -> list[ListedRun]:
        """Return the runs with paused actions; before 2.0.30 these are all runs."""
        return [run async for chunk in self._listed(scope, True, None) for run in chunk]

    async def updated(self, scope: Scope) -> tuple[list[ListedRun], bool]:
        """Return the last updated runs with paused actions, and whether these are all of them.

        A run is updated when it creates an event, and not when one is answered.
        """
        if self._orders_by_update:
            try:
                page = await self._service.runs(scope, True, None, "", UPDATED)
            except RpcError as failure:
                if failure.status != "INVALID_ARGUMENT":
                    raise
                self._orders_by_update = False
            else:
                return self._runs_of(scope, page), not page.token
        return await self.with_paused(scope), True

    async def count_pending(self, runs: Sequence[Run]) -> list[int]:
        """Return the number of pending events of each run."""
        return await map_concurrently(runs, self._count)

    async def _counted(
        self, query: RunsQuery, cursor: RunCursor | None
    ) -> AsyncIterator[tuple[ListedRun, int]]:
        """Yield the runs after a cursor, each with the number of its pending events."""
        async for runs in self._listed(query.scope, query.pending_only, cursor):
            for chunk in chunks(runs, min(query.limit, MAX_CONCURRENT_READS)):
                counts = await self.count_pending([listed.run for listed in chunk])
                for counted in zip(chunk, counts, strict=True):
                    yield counted

    async def _count(self, run: Run) -> int:
        """Return the number of the run's pending events."""
        rows = await self._reader.lister.list_paused(run)
        rows = [row for row in rows if not self._reader.cache.is_resolved(run, row.action_name)]
        if rows:
            await self._reader.lister.detect_phase_updates(run)
        uncertain = [row for row in rows if not self._reader.proves_pending(row)]
        events = await self._reader.events([(run, row.action_name) for row in uncertain])
        pending = sum(event is not None and event.pending for event in events)
        return len(rows) - len(uncertain) + pending

    async def _listed(
        self, scope: Scope, paused_only: bool, cursor: RunCursor | None
    ) -> AsyncIterator[list[ListedRun]]:
        """Yield the runs after a cursor, in chunks."""
        until = None if cursor is None else cursor.created_until
        seen = set() if cursor is None else set(cursor.seen)
        limit, token = limits.ListingLimit(f"the runs of project {scope.project!r}"), ""
        while True:
            created_until = until if self._filters_by_creation else None
            try:
                page = await self._service.runs(scope, paused_only, created_until, token)
            except RpcError as failure:
                if failure.status != "INVALID_ARGUMENT" or created_until is None:
                    raise
                self._filters_by_creation, token = False, ""
                continue
            runs = self._runs_of(scope, page)
            self._reader.lister.evidence.record_times(listed.created_at for listed in runs)
            yield [
                listed
                for listed in runs
                if _digest(listed.run.name) not in seen
                and (until is None or listed.created_at <= until)
            ]
            if not page.token:
                return
            last = runs[-1].created_at if runs else until
            # The token is an offset, which is needed only among runs of one instant.
            token = page.token if last == until or not self._filters_by_creation else ""
            if until is None or (last is not None and last < until):
                until, seen = last, set()
            seen |= {_digest(listed.run.name) for listed in runs if listed.created_at == until}
            limit.add(page, (until, token))

    def _runs_of(self, scope: Scope, page: ListRunsResponse) -> list[ListedRun]:
        """Return the runs of a page that are in the scope's org: some deployments ignore orgs."""
        return [
            _listed_run(scope, run)
            for run in page.runs
            if scope.org == self._own_org or run.action.id.run.org == scope.org
        ]


def _listed_run(scope: Scope, run: run_definition_pb2.Run) -> ListedRun:
    status = run.action.status
    return ListedRun(
        run=scope.run(run.action.id.run.name),
        phase=phase_name(status.phase),
        created_at=to_datetime(status.start_time) or datetime.fromtimestamp(0, UTC),
    )


def _info(listed: ListedRun, pending: int) -> RunInfo:
    return RunInfo(
        run_name=listed.run.name,
        org=listed.run.org,
        project=listed.run.project,
        domain=listed.run.domain,
        phase=listed.phase,
        created_at=listed.created_at.replace(microsecond=0),
        pending_events=pending,
    )


def _digest(text: str) -> str:
    """Return a short digest of a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _encode_cursor(cursor: RunCursor) -> str:
    return json.encode(cursor).decode()


def _decode_cursor(text: str, listing: str) -> RunCursor:
    try:
        cursor = json.decode(text.encode(), type=RunCursor)
    except (DecodeError, ValidationError, UnicodeEncodeError, RecursionError):
        cursor = None
    if cursor is None or cursor.listing != listing or cursor.created_until.tzinfo is None:
        raise CursorExpired("the cursor does not belong to this listing: list from the start")
    return cursor
