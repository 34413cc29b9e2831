"""Queries that answer at once, on the event loop.

Each reads to its end before it returns: a cursor read halfway would hide from
`PRAGMA data_version` what other processes write.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import json

from sidecar.backends.local import queries, rows, schema
from sidecar.backends.local.file import OpenFile
from sidecar.errors import CursorExpired
from sidecar.events.backend import CANDIDATES
from sidecar.events.model import (
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
    from sidecar.events.watch import Watched

CHECK_AGAIN = 0.05
"""Seconds for which a read trusts that the store is still in its place."""

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

    Each method may also raise `Overdue`, `sqlite3.Error`, and `StoreUnavailable`.
    """

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._db = file.reading
        self._checked = -math.inf
        self._runs: dict[Run, int] = {}  # runs are never deleted, so their ids stay true

    def check(self) -> None:
        """Raise if the store was replaced, or migrated by a newer release."""
        self._checked = -math.inf  # once it has failed, no read trusts the store
        self._file.check_in_place("none")
        schema.check_version(schema.version(self._db), self._file.path)
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
        row = self._db.execute(queries.FIRST[selection], parameters).fetchone()
        return None if row is None else _in_time(rows.event(row[0]))

    def choices(self, target: Target) -> list[Event]:
        """Give the unresolved events that fit, or else the last created."""
        self.check_again()
        run = self._run(target.run)
        if run is None:
            return []
        selection, parameters = rows.where(run, target)
        query = f"SELECT document {selection}"
        found = self._db.execute(
            f"{query} AND phase = '{PAUSED}' ORDER BY id LIMIT {CANDIDATES + 1}", parameters
        ).fetchall()
        if not found:
            found = self._db.execute(f"{query} ORDER BY id DESC LIMIT 1", parameters).fetchall()
        return [_in_time(rows.event(row[0])) for row in found]

    def page(self, query: Query) -> EventPage:
        """Give one page of a listing."""
        self.check_again()
        listing = queries.fingerprint(
            rows.run_key(query.run), query.parent, query.phases and sorted(set(query.phases))
        )
        after = self._place(query.cursor, listing)
        self._check_expiry()
        run = self._run(query.run)
        if run is None:
            return EventPage(events=[], next_cursor=None)
        selection, parameters = queries.of_run(run, query.parent, query.phases)
        return self._page(listing, selection, parameters, after, query.limit, query.max_bytes)

    def pending(self, query: PendingQuery) -> EventPage:
        """Give one page of the events of all runs of a place that wait for an answer."""
        self.check_again()
        place = rows.place_key(query.place)
        listing = queries.fingerprint("pending", place)
        after = self._place(query.cursor, listing)
        self._check_expiry()
        return self._page(listing, queries.PENDING, place, after, query.limit, query.max_bytes)

    def runs(self, query: RunsQuery) -> RunPage:
        """Give one page of the runs of a place, the last created first."""
        self.check_again()
        place = rows.place_key(query.place)
        listing = queries.fingerprint("runs", place, query.pending_only)
        before = self._place(query.cursor, listing) or 1 << 62
        self._check_expiry()
        which = "AND pending > 0" if query.pending_only else ""
        found = self._db.execute(
            f"SELECT id, name, created_at, {queries.COUNT} AS pending"
            " FROM run INDEXED BY run_by_place"
            f" WHERE org = ? AND project = ? AND domain = ? AND id < ? {which}"
            " ORDER BY id DESC LIMIT ?",
            (*place, before, query.limit + 1),
        ).fetchall()
        runs: list[RunInfo] = []
        size = 0
        for identity, name, created_at, pending in found:
            run = RunInfo(
                run_name=name,
                org=query.place.org,
                project=query.place.project,
                domain=query.place.domain,
                phase=None,
                created_at=rows.instant(created_at),
                pending_events=pending,
            )
            size += len(json.encode(run)) + 1
            if runs and (size > query.max_bytes or len(runs) == query.limit):
                return RunPage(runs=runs, next_cursor=self._cursor(listing, before))
            runs.append(run)
            before = identity
        return RunPage(runs=runs, next_cursor=None)

    def standing(self, what: tuple[Watched, int]) -> tuple[list[Event], int | None]:
        """Give some of the events watched that stand after a place, and the place of the next."""
        watched, after = what
        self.check_again()
        self._check_expiry()
        if watched.run is None:
            place = rows.place_key(watched.place)
            return self._some(queries.PENDING, place, after, AT_ONCE, AT_ONCE_BYTES)
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
        events, place = self._some(selection, parameters, after, limit, max_bytes)
        cursor = None if place is None else self._cursor(listing, place)
        return EventPage(events=events, next_cursor=cursor)

    def _some(
        self,
        selection: str,
        parameters: Sequence[str | int],
        after: int,
        limit: int,
        max_bytes: int,
    ) -> tuple[list[Event], int | None]:
        """Give the first events after a place, and the place of the last if more follow."""
        cursor = self._db.execute(
            f"SELECT id, document {selection} AND id > ? ORDER BY id LIMIT ?",
            (*parameters, after, limit + 1),
        )
        events: list[Event] = []
        size = 0
        try:
            for identity, document in cursor:
                size += len(document.encode()) + 1
                if events and (size > max_bytes or len(events) == limit):
                    return events, after
                events.append(rows.event(document))
                after = identity
        finally:
            cursor.close()
        return events, None

    def _check_expiry(self) -> None:
        expiry = self.next_expiry()
        if expiry is not None and expiry <= rows.now():
            raise Overdue

    def next_expiry(self) -> int | None:
        """Give the instant at which the first of the unresolved events expires."""
        row = self._db.execute(
            "SELECT expires_at FROM event INDEXED BY pending_by_expiry"
            f" WHERE phase = '{PAUSED}' AND expires_at IS NOT NULL ORDER BY expires_at LIMIT 1"
        ).fetchone()
        return None if row is None else int(row[0])

    def revision(self) -> int:
        """Give the number of the last change to any event."""
        found: int = self._db.execute("SELECT coalesce(max(revision), 0) FROM event").fetchone()[0]
        return found

    def data_version(self) -> int:
        """Give a number that differs once anyone else has committed."""
        found: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return found

    def changed_since(
        self, revision: int, wanted: Callable[[str, str], bool]
    ) -> tuple[int, list[Event], bool]:
        """Give those events changed after a revision that are wanted, in the order of change.

        Gives the revision up to which they are told first, and last whether more may follow.
        `wanted` is asked with the name of an action, unique in a store, and a phase.
        """
        cursor = self._db.execute(
            "SELECT revision, action_name, phase, document FROM event"
            " WHERE revision > ? ORDER BY revision LIMIT ?",
            (revision, AT_ONCE),
        )
        events: list[Event] = []
        count = size = 0
        try:
            for at, action, phase, document in cursor:
                revision = at
                count += 1
                if wanted(action, phase):
                    events.append(rows.event(document))
                    size += len(document)
                    if size > AT_ONCE_BYTES:
                        return revision, events, True
        finally:
            cursor.close()
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

    def _cursor(self, listing: str, place: int) -> str:
        return f"{self._file.store_id}.{listing}.{place}"

    def _place(self, cursor: str | None, listing: str) -> int:
        """Give the id after which the cursor's page begins; 0 without one."""
        if cursor is None:
            return 0
        store, _, rest = cursor.partition(".")
        its_listing, _, after = rest.partition(".")
        known = store == self._file.store_id and its_listing == listing
        if not known or not (after.isascii() and after.isdigit() and len(after) < 19):
            raise CursorExpired("the cursor does not belong to this listing: list from the start")
        return int(after)


def _in_time(event: Event) -> Event:
    expires = event.expires_at
    if event.pending and expires is not None and expires <= rows.instant(rows.now()):
        raise Overdue
    return event
