"""Queries that answer at once, on the event loop.

Each reads to its end before it returns: a cursor read halfway would hide from
`PRAGMA data_version` what other processes write.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Container

from sidecar.backends.local import rows, schema
from sidecar.backends.local.file import OpenFile
from sidecar.errors import CursorExpired
from sidecar.events.backend import CANDIDATES
from sidecar.events.model import PAUSED, Event, EventPage, Query, Target

CHECK_AGAIN = 0.05
"""Seconds for which a read trusts that the store is still in its place."""


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
        self._checked = -CHECK_AGAIN

    def check(self) -> None:
        """Raise if the store was replaced, or migrated by a newer release."""
        self._checked = time.monotonic()
        self._file.check_in_place("none")
        schema.check_version(schema.version(self._db))

    def _check_again(self) -> None:
        """Check, unless that was done a moment ago: it costs a third of an indexed read."""
        if time.monotonic() - self._checked > CHECK_AGAIN:
            self.check()

    def close(self) -> None:
        self._db.close()

    def find(self, target: Target) -> Event | None:
        """Give the first event created that fits."""
        self._check_again()
        row = self._db.execute(
            f"SELECT e.document {rows.FROM} WHERE {rows.condition(target)} ORDER BY e.id LIMIT 1",
            rows.parameters(target),
        ).fetchone()
        return None if row is None else _in_time(rows.event(row[0]))

    def choices(self, target: Target) -> list[Event]:
        """Give the unresolved events that fit, or else the last created."""
        self._check_again()
        parameters = rows.parameters(target)
        query = f"SELECT e.document {rows.FROM} WHERE {rows.condition(target)}"
        found = self._db.execute(
            f"{query} AND e.phase = '{PAUSED}' ORDER BY e.id LIMIT {CANDIDATES + 1}", parameters
        ).fetchall()
        if not found:
            found = self._db.execute(f"{query} ORDER BY e.id DESC LIMIT 1", parameters).fetchall()
        return [_in_time(rows.event(row[0])) for row in found]

    def page(self, query: Query) -> EventPage:
        """Give one page of a listing."""
        self._check_again()
        listing = _fingerprint(query)
        after = 0 if query.cursor is None else self._place(query.cursor, listing)
        target = Target(query.run, parent=query.parent)
        condition = f"{rows.FROM} WHERE {rows.condition(target)}"
        parameters: list[str | int] = [*rows.parameters(target)]
        overdue = self._db.execute(
            f"SELECT 1 {condition} AND e.phase = '{PAUSED}' AND e.expires_at <= ? LIMIT 1",
            [*parameters, rows.now()],
        ).fetchone()
        if overdue:
            raise Overdue
        if query.phases is not None:
            condition += f" AND e.phase IN ({', '.join('?' * len(query.phases))})"
            parameters += query.phases
        cursor = self._db.execute(
            f"SELECT e.id, e.document {condition} AND e.id > ? ORDER BY e.id LIMIT ?",
            [*parameters, after, query.limit + 1],
        )
        events: list[Event] = []
        size = 0
        try:
            for identity, document in cursor:
                size += len(document.encode())
                if events and (size > query.max_bytes or len(events) == query.limit):
                    place = f"{self._file.store_id}.{listing}.{after}"
                    return EventPage(events=events, next_cursor=place)
                events.append(rows.event(document))
                after = identity
        finally:
            cursor.close()
        return EventPage(events=events, next_cursor=None)

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

    def _place(self, cursor: str, listing: str) -> int:
        """Give the id after which the cursor's page begins."""
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


def _fingerprint(query: Query) -> str:
    """Name the listing that a query is a page of."""
    words = repr(
        (rows.run_key(query.run), query.parent, query.phases and sorted(set(query.phases)))
    )
    return f"{zlib.crc32(words.encode('utf-8', 'surrogatepass')):08x}"
