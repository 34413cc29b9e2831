"""Queries that answer at once, on the event loop.

Each reads to its end before it returns: a cursor read halfway would hide from
`PRAGMA data_version` what other processes write.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec import json

from flyte_sidecar.backends.local import documents, queries, rows, tables
from flyte_sidecar.backends.local.documents import Damage, DamagedEvent
from flyte_sidecar.backends.local.file import OpenFile
from flyte_sidecar.events.backend import CANDIDATES
from flyte_sidecar.events.model import (
    PAUSED,
    Event,
    EventPage,
    PendingQuery,
    Query,
    Run,
    RunInfo,
    RunPage,
    RunsQuery,
    Target,
)

if TYPE_CHECKING:
    from flyte_sidecar.events.watch import Watched

CHECK_AGAIN = 0.05
"""Seconds for which a read trusts that the store is still in its scope."""

KNOWN_RUNS = 1000
"""How many runs' ids are kept at most."""

AT_ONCE = 500
"""Events that a watch is given at once."""

AT_ONCE_BYTES = 1 << 20
"""Bytes of their JSON after which no more are read at once."""


class Overdue(Exception):
    """An event has expired and nobody has recorded it yet.

    It must be on record before it is told, so that a clock set back takes nothing back.
    """


class Reader:
    """The reads of one open store.

    Each method may also raise `Overdue`, `sqlite3.Error`, and `StoreUnavailable`, and where one
    event is meant `DamagedEvent`. Listings leave damaged events out.
    """

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._db = file.reading
        self._checked = -math.inf
        self._runs: dict[Run, int] = {}  # runs are never deleted, so their ids stay true
        self.damage = Damage(self._db)

    def check(self) -> None:
        """Raise if the store was replaced, or migrated by a newer release."""
        self._checked = -math.inf  # once it has failed, no read trusts the store
        self._file.check_in_place("none")
        tables.check_version(tables.version(self._db), self._file.path)
        self._checked = time.monotonic()

    def check_again(self, after: float = CHECK_AGAIN) -> None:
        """Check, unless that was done in the last `after` seconds: it costs as much as a read."""
        if time.monotonic() - self._checked > after:
            self.check()

    def close(self) -> None:
        self._db.close()

    def find(self, target: Target) -> Event | None:
        """Give the first event created that fits."""
        self.check_again()
        run = self._run(target.run)
        if run is None:
            return None
        selection, parameters = rows.where(run, target)
        try:
            row = self._db.execute(queries.FIRST[selection], parameters).fetchone()
            event = None if row is None else rows.event(row[0])
            if event is None or not _is_due(event):
                return event
        except (rows.Undecodable, sqlite3.DatabaseError):
            pass
        return next(iter(self._sound(f"{selection} ORDER BY id LIMIT 1", parameters)), None)

    def choices(self, target: Target) -> list[Event]:
        """Give the unresolved events that fit, or else the last created."""
        self.check_again()
        run = self._run(target.run)
        if run is None:
            return []
        selection, parameters = rows.where(run, target)
        unresolved = f"{selection} AND phase = '{PAUSED}' ORDER BY id LIMIT {CANDIDATES + 1}"
        return self._sound(unresolved, parameters) or self._sound(
            f"{selection} ORDER BY id DESC LIMIT 1", parameters
        )

    def page(self, query: Query) -> EventPage:
        """Give one page of a listing."""
        self.check_again()
        listing = queries.fingerprint(
            rows.run_key(query.run), query.parent, query.phases and sorted(set(query.phases))
        )
        after = queries.offset(query.cursor, self._file.store_id, listing)
        self._check_expiry()
        run = self._run(query.run)
        if run is None:
            return EventPage(events=[], next_cursor=None)
        selection, parameters = queries.of_run(run, query.parent, query.phases)
        return self._page(listing, selection, parameters, after, query.limit, query.max_bytes)

    def pending(self, query: PendingQuery) -> EventPage:
        """Give one page of the events of all runs of a scope that wait for an answer."""
        self.check_again()
        scope = rows.scope_key(query.scope)
        listing = queries.fingerprint("pending", scope)
        after = queries.offset(query.cursor, self._file.store_id, listing)
        self._check_expiry()
        return self._page(listing, queries.PENDING, scope, after, query.limit, query.max_bytes)

    def runs(self, query: RunsQuery) -> RunPage:
        """Give one page of the runs of a scope, the last created first."""
        self.check_again()
        scope = rows.scope_key(query.scope)
        listing = queries.fingerprint("runs", scope, query.pending_only)
        before = queries.offset(query.cursor, self._file.store_id, listing) or 1 << 62
        self._check_expiry()
        which = "AND pending > 0" if query.pending_only else ""
        runs: list[RunInfo] = []
        size = 0
        while True:
            found = self._db.execute(
                f"SELECT id, name, created_at, ({queries.COUNT} run.id{self.damage.clause})"
                " AS pending FROM run INDEXED BY run_by_place"
                f" WHERE org = ? AND project = ? AND domain = ? AND id < ? {which}"
                " ORDER BY id DESC LIMIT ?",
                (*scope, before, query.limit + 1),
            ).fetchall()
            for identity, name, created_at, pending in found:
                try:
                    run = rows.run_info(query.scope, name, created_at, pending)
                except rows.Undecodable:
                    self.damage.log_once(f"run number {identity} is damaged in the store")
                    before = identity
                    continue
                size += len(json.encode(run)) + 1
                if runs and (size > query.max_bytes or len(runs) == query.limit):
                    return RunPage(
                        runs=runs, next_cursor=queries.cursor(self._file.store_id, listing, before)
                    )
                runs.append(run)
                before = identity
            if len(found) <= query.limit:
                return RunPage(runs=runs, next_cursor=None)

    def standing(self, what: tuple[Watched, int]) -> tuple[list[Event], int | None]:
        """Give some of the events watched that stand after a scope, and the scope of the next."""
        watched, after = what
        self.check_again()
        self._check_expiry()
        if watched.run is None:
            scope = rows.scope_key(watched.scope)
            return self._some(queries.PENDING, scope, after, AT_ONCE, AT_ONCE_BYTES)
        run = self._run(watched.run)
        if run is None:
            return [], None
        selection, parameters = queries.of_run(run, watched.parent, None)
        return self._some(selection, parameters, after, AT_ONCE, AT_ONCE_BYTES)

    def _page(
        self,
        listing: str,
        selection: str,
        parameters: Sequence[str | int],
        after: int,
        limit: int,
        max_bytes: int,
    ) -> EventPage:
        events, scope = self._some(selection, parameters, after, limit, max_bytes)
        cursor = None if scope is None else queries.cursor(self._file.store_id, listing, scope)
        return EventPage(events=events, next_cursor=cursor)

    def _some(
        self,
        selection: str,
        parameters: Sequence[str | int],
        after: int,
        limit: int,
        max_bytes: int,
    ) -> tuple[list[Event], int | None]:
        """Give the first events after a scope, and the scope of the last if more follow."""
        events: list[Event] = []
        size = 0
        while True:
            count = 0
            some = f"{selection} AND id > ? ORDER BY id LIMIT ?"
            with closing(documents.read(self._db, some, (*parameters, after, limit + 1))) as found:
                for identity, document in found:
                    count += 1
                    if isinstance(document, bytes):
                        size += len(document) + 1
                    if events and (size > max_bytes or len(events) == limit):
                        return events, after
                    try:
                        events.append(rows.event(document))
                    except rows.Undecodable:
                        self.damage.meet(identity)
                    after = identity
            if count <= limit:
                return events, None

    def _sound(self, selection: str, parameters: Sequence[str | int]) -> list[Event]:
        """Return the events selected, each of which the request may mean.

        Raises
        ------
        DamagedEvent
            If one of them is damaged.
        """
        events = []
        columns = "document, phase, expires_at"
        found = list(documents.read(self._db, selection, parameters, columns=columns))
        for identity, document, phase, expires_at in found:
            event = documents.event(self._db, identity, document)
            if _is_due(event):
                if phase == PAUSED.encode() and expires_at in range(rows.now() + 1):
                    raise Overdue
                raise documents.damaged(self._db, identity)  # no write finds that it is due
            events.append(event)
        return events

    def _check_expiry(self) -> None:
        expiry = self.next_expiry()
        if expiry is not None and expiry <= rows.now():
            raise Overdue

    def next_expiry(self) -> int | None:
        """Give the instant at which the first of the unresolved events expires."""
        query = f"{queries.NEXT_EXPIRY}{self.damage.clause} ORDER BY expires_at LIMIT 1"
        row = self._db.execute(query).fetchone()
        return None if row is None else int(row[0])

    def revision(self) -> int:
        """Give the number of the last change to any event."""
        query = f"SELECT coalesce(max(revision), 0) FROM event WHERE revision < {rows.BEYOND}"
        found: int = self._db.execute(query).fetchone()[0]
        return found

    def data_version(self) -> int:
        """Give a number that differs once anyone else has committed."""
        found: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return found

    def changed_since(
        self, revision: int, wanted: Callable[[str, str], bool]
    ) -> tuple[int, list[Event | DamagedEvent], bool]:
        """Give those events changed after a revision that are wanted, in the order of change.

        Gives the revision up to which they are told first, and last whether more may follow.
        `wanted` is asked with the name of an action, unique in a store, and a phase.
        """
        changed = documents.read(
            self._db,
            f"FROM event WHERE revision > ? AND revision < {rows.BEYOND} ORDER BY revision LIMIT ?",
            (revision, AT_ONCE),
            keys="id, revision",
            columns="action_name, phase, document",
        )
        events: list[Event | DamagedEvent] = []
        count = size = 0
        with closing(changed):
            for identity, at, action, phase, document in changed:
                revision = at
                count += 1
                if phase is not None and not wanted(rows.text(action), rows.text(phase)):
                    continue
                try:
                    events.append(rows.event(document))
                except rows.Undecodable:
                    events.append(self.damage.meet(identity))
                    continue
                size += len(document)
                if size > AT_ONCE_BYTES:
                    return revision, events, True
        return revision, events, count == AT_ONCE

    def _run(self, run: Run) -> int | None:
        found = self._runs.get(run)
        if found is None:
            found = rows.find_run(self._db, run)
            if found is not None:
                if len(self._runs) >= KNOWN_RUNS:
                    self._runs.clear()
                self._runs[run] = found
        return found


def _is_due(event: Event) -> bool:
    return event.expires_at is not None and rows.is_due(event, rows.now())
