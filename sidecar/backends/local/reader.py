"""Queries that answer at once, on the event loop.

Each reads to its end before it returns: a cursor read halfway would hide from
`PRAGMA data_version` what other processes write.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Container

from sidecar.backends.local import rows, schema
from sidecar.backends.local.file import OpenFile
from sidecar.errors import CursorExpired
from sidecar.events.backend import CANDIDATES
from sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    EventPage,
    Query,
    Run,
    Target,
)

CHECK_AGAIN = 0.05
"""Seconds for which a read trusts that the store is still in its place."""

KNOWN_RUNS = 1000
"""How many runs' ids are kept at most."""

_PHASES = (PAUSED, SUCCEEDED, ABORTED, TIMED_OUT)


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
        row = self._db.execute(_FIRST[selection], parameters).fetchone()
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
        listing = _fingerprint(query)
        after = 0 if query.cursor is None else self._place(query.cursor, listing)
        expiry = self.next_expiry()
        if expiry is not None and expiry <= rows.now():
            raise Overdue
        run = self._run(query.run)
        if run is None:
            return EventPage(events=[], next_cursor=None)
        parameters: list[str | int] = [run, after, query.limit + 1]
        if query.parent is not None:
            parameters.insert(1, query.parent)
        cursor = self._db.execute(_listing(query), parameters)
        events: list[Event] = []
        size = 0
        try:
            for identity, document in cursor:
                size += len(document.encode()) + 1
                if events and (size > query.max_bytes or len(events) == query.limit):
                    place = f"{self._file.store_id}.{listing}.{after}"
                    return EventPage(events=events, next_cursor=place)
                events.append(rows.event(document))
                after = identity
        finally:
            cursor.close()
        return EventPage(events=events, next_cursor=None)

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

    def resolved_since(self, revision: int, wanted: Container[str]) -> tuple[int, list[Event]]:
        """Give the last revision, and those events resolved after `revision` that are wanted.

        `wanted` holds names of actions, which are unique in a store.
        """
        last = self.revision()
        found = self._db.execute(
            "SELECT action_name, document FROM event"
            f" WHERE revision > ? AND revision <= ? AND phase <> '{PAUSED}'",
            (revision, last),
        )
        return last, [rows.event(document) for action, document in found if action in wanted]

    def _run(self, run: Run) -> int | None:
        found = self._runs.get(run)
        if found is None:
            found = rows.find_run(self._db, run)
            if found is not None:
                if len(self._runs) >= KNOWN_RUNS:
                    self._runs.clear()
                self._runs[run] = found
        return found

    def _place(self, cursor: str, listing: str) -> int:
        """Give the id after which the cursor's page begins."""
        store, _, rest = cursor.partition(".")
        its_listing, _, after = rest.partition(".")
        known = store == self._file.store_id and its_listing == listing
        if not known or not (after.isascii() and after.isdigit() and len(after) < 19):
            raise CursorExpired("the cursor does not belong to this listing: list from the start")
        return int(after)


class _First(dict[str, str]):
    """The query for the first event of each selection, put together once."""

    def __missing__(self, selection: str) -> str:
        self[selection] = query = f"SELECT document {selection} ORDER BY id LIMIT 1"
        return query


_FIRST = _First()


def _listing(query: Query) -> str:
    """Give the SQL of a page, by an index that has the events in creation order."""
    phases = query.phases if query.phases is None else set(query.phases) & {*_PHASES}
    if query.parent is not None:
        index, condition = "event_by_parent", "run = ? AND parent = ?"
    else:
        index = "pending_by_run" if phases == {PAUSED} else "event_by_run"
        condition = "run = ?"
    if phases == {PAUSED}:
        condition += f" AND phase = '{PAUSED}'"
    elif phases is not None:
        wanted = ", ".join(f"'{phase}'" for phase in sorted(phases))
        condition += f" AND phase IN ({wanted})"
    return (
        f"SELECT id, document FROM event INDEXED BY {index}"
        f" WHERE {condition} AND id > ? ORDER BY id LIMIT ?"
    )


def _in_time(event: Event) -> Event:
    expires = event.expires_at
    if event.pending and expires is not None and expires <= rows.instant(rows.now()):
        raise Overdue
    return event


def _fingerprint(query: Query) -> str:
    """Name the listing that a query is a page of."""
    words = repr(
        (rows.run_key(query.run), query.parent, query.phases and sorted(set(query.phases)))
    )
    return f"{zlib.crc32(words.encode('utf-8', 'surrogatepass')):08x}"
