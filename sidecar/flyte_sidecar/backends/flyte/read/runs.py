"""Runs, the last created first, and how many of their events are pending."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from flyteidl2.workflow import run_definition_pb2
from msgspec import DecodeError, Struct, ValidationError, json

from flyte_sidecar.backends.flyte.read.events import (
    MAX_CONCURRENT_READS,
    EventReader,
    chunks,
    map_concurrently,
)
from flyte_sidecar.backends.flyte.rpc import limits
from flyte_sidecar.backends.flyte.rpc.enums import phase_name
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
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
    until
        When the last listed run was created.
    listed
        Digests of the listed runs that were created in the same instant.
    """

    listing: str
    until: datetime
    listed: tuple[str, ...]


class ListedRun(Struct, frozen=True):
    """A run that was listed."""

    run: Run
    phase: str
    created_at: datetime


class RunLister:
    """Lists runs; every method raises `RpcError` alone, and `page` `CursorExpired`."""

    def __init__(self, service: RunService, reader: EventReader, own_org: str | None) -> None:
        self._service = service
        self._reader = reader
        self._own_org = own_org
        self._by_instant = self._by_update = True  # until the deployment rejects it

    async def page(self, query: RunsQuery) -> RunPage:
        """Return one page of runs.

        A cursor is an instant, not an offset: new runs shift no others.
        """
        listing = _digest(repr((query.scope, query.pending_only)))
        mark = None if query.cursor is None else _read(query.cursor, listing)
        runs: list[RunInfo] = []
        size = 0
        async for one, count in self._counted(query, mark):
            if count or not query.pending_only:
                info = _info(one, count)
                size += len(json.encode(info)) + 1
                if runs and (size > query.max_bytes or len(runs) == query.limit):
                    assert mark is not None
                    return RunPage(runs=runs, next_cursor=_write(mark))
                runs.append(info)
            listed = mark.listed if mark is not None and mark.until == one.created_at else ()
            mark = RunCursor(listing, one.created_at, (*listed, _digest(one.run.name)))
        return RunPage(runs=runs, next_cursor=None)

    async def paused(self, scope: Scope) -> list[ListedAction]:
        """Return all paused actions of all runs of a scope, in order of creation."""
        runs = [one.run for one in await self.with_paused(scope)]
        if runs:
            await self._reader.lister.detect_phase_updates(
                runs[0]
            )  # for details to prove what later rows show
        rows = await map_concurrently(runs, self._reader.lister.list_paused)
        return sorted((row for some in rows for row in some), key=_sort_key)

    async def with_paused(self, scope: Scope) -> list[ListedRun]:
        """Return the runs with paused actions; before 2.0.30 these are all runs."""
        return [one async for some in self._listed(scope, True, None) for one in some]

    async def updated(self, scope: Scope) -> tuple[list[ListedRun], bool]:
        """Return those of them that were updated last, and whether there are no others.

        A run is updated when it creates an event, and not when one is answered.
        """
        if self._by_update:
            try:
                page = await self._service.runs(scope, True, None, "", UPDATED)
            except RpcError as failure:
                if failure.status != "INVALID_ARGUMENT":
                    raise
                self._by_update = False
            else:
                found = [_found(scope, run) for run in page.runs if self._is_of(scope, run)]
                return found, not page.token
        return await self.with_paused(scope), True

    async def count_pending(self, runs: Sequence[Run]) -> list[int]:
        """Return the number of pending events of each run."""
        return await map_concurrently(runs, self._count)

    async def _counted(
        self, query: RunsQuery, mark: RunCursor | None
    ) -> AsyncIterator[tuple[ListedRun, int]]:
        """Yield the runs after a mark, each with the number of its pending events."""
        async for found in self._listed(query.scope, query.pending_only, mark):
            for some in chunks(found, min(query.limit, MAX_CONCURRENT_READS)):
                counts = await self.count_pending([one.run for one in some])
                for counted in zip(some, counts, strict=True):
                    yield counted

    async def _count(self, run: Run) -> int:
        """Return the number of the run's pending events."""
        rows = await self._reader.lister.list_paused(run)
        rows = [row for row in rows if not self._reader.cache.has_ended(run, row.action_name)]
        if rows:
            await self._reader.lister.detect_phase_updates(run)
        doubtful = [row for row in rows if not self._reader.proves_pending(row)]
        events = await self._reader.events([(run, row.action_name) for row in doubtful])
        pending = sum(event is not None and event.pending for event in events)
        return len(rows) - len(doubtful) + pending

    async def _listed(
        self, scope: Scope, paused_only: bool, mark: RunCursor | None
    ) -> AsyncIterator[list[ListedRun]]:
        """Yield the runs after a mark, in chunks."""
        until = None if mark is None else mark.until
        listed = set() if mark is None else set(mark.listed)
        limit, token = limits.ListingLimit(f"the runs of project {scope.project!r}"), ""
        while True:
            asked = until if self._by_instant else None
            try:
                page = await self._service.runs(scope, paused_only, asked, token)
            except RpcError as failure:
                if failure.status != "INVALID_ARGUMENT" or asked is None:
                    raise
                self._by_instant, token = False, ""
                continue
            found = [_found(scope, run) for run in page.runs if self._is_of(scope, run)]
            self._reader.lister.evidence.record_times(one.created_at for one in found)
            yield [
                one
                for one in found
                if _digest(one.run.name) not in listed
                and (until is None or one.created_at <= until)
            ]
            if not page.token:
                return
            last = found[-1].created_at if found else until
            # An offset counts only among runs of one instant, which has no end in between.
            token = page.token if last == until or not self._by_instant else ""
            if until is None or (last is not None and last < until):
                until, listed = last, set()
            listed |= {_digest(one.run.name) for one in found if one.created_at == until}
            limit.add(page, (until, token))

    def _is_of(self, scope: Scope, run: run_definition_pb2.Run) -> bool:
        """Return whether a run is in the scope's org: some deployments ignore orgs."""
        return scope.org == self._own_org or run.action.id.run.org == scope.org


def _found(scope: Scope, run: run_definition_pb2.Run) -> ListedRun:
    status = run.action.status
    return ListedRun(
        run=scope.run(run.action.id.run.name),
        phase=phase_name(status.phase),
        created_at=to_datetime(status.start_time) or datetime.fromtimestamp(0, UTC),
    )


def _info(found: ListedRun, pending: int) -> RunInfo:
    return RunInfo(
        run_name=found.run.name,
        org=found.run.org,
        project=found.run.project,
        domain=found.run.domain,
        phase=found.phase,
        created_at=found.created_at.replace(microsecond=0),
        pending_events=pending,
    )


def _digest(text: str) -> str:
    """Return a short digest of a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _write(mark: RunCursor) -> str:
    return json.encode(mark).decode()


def _read(cursor: str, listing: str) -> RunCursor:
    try:
        mark = json.decode(cursor.encode(), type=RunCursor)
    except (DecodeError, ValidationError, UnicodeEncodeError):
        mark = None
    if mark is None or mark.listing != listing or mark.until.tzinfo is None:
        raise CursorExpired("the cursor does not belong to this listing: list from the start")
    return mark


def _sort_key(row: ListedAction) -> tuple[float, str, str]:
    return (row.sort_key[0], row.run.name, row.action_name)
