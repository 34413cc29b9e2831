"""Listings of events and of runs, a page at a time, without damaged events.

Like the methods of `StoreReader`, they return immediately and read to the end. They raise the same
errors, and `CursorExpired`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec import json

from flyte_sidecar.backends.local import cursors, queries, reader, rows
from flyte_sidecar.backends.local.damaged_events import read_rows
from flyte_sidecar.backends.local.reader import StoreReader
from flyte_sidecar.events.model import (
    PAUSED,
    Event,
    EventPage,
    PendingQuery,
    Query,
    RunInfo,
    RunPage,
    RunsQuery,
    Scope,
)

if TYPE_CHECKING:
    from flyte_sidecar.events.watch_feed import WatchSelector


def page(store: StoreReader, query: Query) -> EventPage:
    """Return one page of the events of a run, in creation order."""
    store.recheck()
    listing = cursors.fingerprint(
        rows.run_key(query.run), query.parent, query.phases and sorted(set(query.phases))
    )
    after = cursors.decode(query.cursor, store.store_id, listing)
    store.check_expiry()
    run = store.run_id(query.run)
    if run is None:
        return EventPage(events=[], next_cursor=None, unavailable=[])
    selection, parameters = queries.of_run(run, query.parent, query.phases)
    return _page(store, listing, selection, parameters, after, query)


def pending(store: StoreReader, query: PendingQuery) -> EventPage:
    """Return one page of the pending events of all runs of a scope."""
    store.recheck()
    scope = rows.scope_key(query.scope)
    listing = cursors.fingerprint("pending", scope)
    after = cursors.decode(query.cursor, store.store_id, listing)
    store.check_expiry()
    return _page(store, listing, queries.PENDING, scope, after, query)


def runs(store: StoreReader, query: RunsQuery) -> RunPage:
    """Return one page of the runs of a scope, the last created first."""
    store.recheck()
    scope = rows.scope_key(query.scope)
    listing = cursors.fingerprint("runs", scope, query.pending_only)
    before = cursors.decode(query.cursor, store.store_id, listing) or 1 << 62
    store.check_expiry()
    condition = "AND pending > 0" if query.pending_only else ""
    found: list[RunInfo] = []
    size = 0
    while True:
        selected = store.db.execute(
            f"SELECT id, name, created_at, ({queries.COUNT} run.id{store.damage.clause})"
            " AS pending FROM run INDEXED BY run_by_place"
            f" WHERE org = ? AND project = ? AND domain = ? AND id < ? {condition}"
            " ORDER BY id DESC LIMIT ?",
            (*scope, before, query.limit + 1),
        ).fetchall()
        for row_id, name, created_at, count in selected:
            try:
                run = rows.run_info(query.scope, name, created_at, count)
            except rows.Undecodable:
                store.damage.log_once(f"run number {row_id} is damaged in the store")
                before = row_id
                continue
            size += len(json.encode(run)) + 1
            if found and (size > query.max_bytes or len(found) == query.limit):
                cursor = cursors.encode(store.store_id, listing, before)
                return RunPage(runs=found, next_cursor=cursor, unavailable=[])
            found.append(run)
            before = row_id
        if len(selected) <= query.limit:
            return RunPage(runs=found, next_cursor=None, unavailable=[])


def count_pending(store: StoreReader, _: None) -> dict[Scope, int]:
    """Return the number of pending events of each scope that has any."""
    store.recheck()
    store.check_expiry()
    counted = store.db.execute(
        "SELECT org, project, domain, count(*) FROM event INDEXED BY pending_by_run"
        f" JOIN run ON run.id = event.run WHERE phase = '{PAUSED}' GROUP BY org, project, domain"
    )
    return {
        Scope(*(rows.text(part) or None for part in parts)): count
        for *parts, count in counted.fetchall()
    }


def watched(
    store: StoreReader, selector_and_offset: tuple[WatchSelector, int]
) -> tuple[list[Event], int | None]:
    """Return the first events of a watch after an offset, and the next offset if more follow."""
    selector, after = selector_and_offset
    store.recheck()
    store.check_expiry()
    size = (reader.BATCH_EVENTS, reader.BATCH_BYTES)
    if selector.run is None:
        return _select(store, queries.PENDING, rows.scope_key(selector.scope), after, *size)
    run = store.run_id(selector.run)
    if run is None:
        return [], None
    selection, parameters = queries.of_run(run, selector.parent, None)
    return _select(store, selection, parameters, after, *size)


def _page(
    store: StoreReader,
    listing: str,
    selection: str,
    parameters: Sequence[str | int],
    after: int,
    query: Query | PendingQuery,
) -> EventPage:
    limits = (query.limit, query.max_bytes)
    events, offset = _select(store, selection, parameters, after, *limits)
    cursor = None if offset is None else cursors.encode(store.store_id, listing, offset)
    return EventPage(events=events, next_cursor=cursor, unavailable=[])


def _select(
    store: StoreReader,
    selection: str,
    parameters: Sequence[str | int],
    after: int,
    limit: int,
    max_bytes: int,
) -> tuple[list[Event], int | None]:
    """Return the events after the row `after`, and the id of the last row if more follow."""
    events: list[Event] = []
    size = 0
    while True:
        count = 0
        query = f"{selection} AND id > ? ORDER BY id LIMIT ?"
        with closing(read_rows(store.db, query, (*parameters, after, limit + 1))) as found:
            for row_id, document in found:
                count += 1
                if isinstance(document, bytes):
                    size += len(document) + 1
                if events and (size > max_bytes or len(events) == limit):
                    return events, after
                try:
                    events.append(rows.decode_event(document))
                except rows.Undecodable:
                    store.damage.add(row_id)
                after = row_id
        if count <= limit:
            return events, None
