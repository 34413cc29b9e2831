"""Reads that return immediately, on the event loop: single events, and what has changed.

Each reads to the end before it returns: an open cursor would hide from `PRAGMA data_version` what
other processes write.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from typing import NamedTuple, TypeVar

from msgspec import json

from flyte_sidecar.backends.local import event_owners, migrations, queries, rows
from flyte_sidecar.backends.local.damaged_events import (
    DamagedEvent,
    DamagedEvents,
    decode_row,
    read_rows,
    row_damage_error,
)
from flyte_sidecar.backends.local.error_translation import is_damage
from flyte_sidecar.backends.local.open_file import OpenFile
from flyte_sidecar.events.backend import CANDIDATES
from flyte_sidecar.events.model import PAUSED, Event, Run, Target

K = TypeVar("K")
V = TypeVar("V")

READ_CHECK_INTERVAL = 0.05
"""Seconds for which reads do not check again that the same file is still at the store's path."""

OWNER_CHECK_INTERVAL = 1.0
"""Seconds for which it is not checked again whether the owners of pending events are gone."""

RUN_CACHE_SIZE = 1000
"""How many runs are cached at most."""

BATCH_EVENTS = 500
"""How many events are read at once for a watch."""

BATCH_BYTES = 1 << 20
"""Bytes of events after which no more are read at once."""

_PAUSED = PAUSED.encode()


class UnrecordedEnd(Exception):
    """An event has expired, or its owner is gone, but its end is not recorded yet.

    It is recorded before it is reported, so that setting the clock back does not revert it.
    """


class ChangedRow(NamedTuple):
    """A changed event, as the index of changes has it: the event itself is not read.

    Attributes
    ----------
    run_id
        The id of the run's row.
    broken
        Whether the row cannot be read, so that only `id` and `revision` are known.
    """

    id: int
    revision: int
    run_id: int
    action_name: str
    pending: bool
    broken: bool


class StoreReader:
    """The reads of one open store.

    Each method may also raise `UnrecordedEnd`, `sqlite3.Error` and `StoreUnavailable`, and
    those that read single events may raise `DamagedEvent`.

    Attributes
    ----------
    db
        The connection.
    store_id
        Identifies the store in cursors.
    damage
        The damaged events that reads have found.
    """

    def __init__(self, file: OpenFile) -> None:
        self.db = file.reading
        self.store_id = file.store_id
        self.damage = DamagedEvents(self.db)
        self._file = file
        self._checked = self._owners_checked = -math.inf
        # Runs are never deleted, so their cached ids stay valid.
        self._run_ids: dict[Run, int] = {}
        self._runs: dict[int, Run] = {}

    def check(self) -> None:
        """Raise if the store was replaced, or migrated by a newer release."""
        self._checked = -math.inf  # so that reads check again if this fails
        self._file.check_in_place("none")
        migrations.check_version(migrations.version(self.db), self._file.path)

    def recheck(self, after: float = READ_CHECK_INTERVAL) -> None:
        """Check if the last check is more than `after` seconds ago: it costs as much as a read.

        Raises `UnrecordedEnd` also if the owner of a pending event is gone.
        """
        if time.monotonic() - self._checked > after:
            self.check()
            self._check_owners()
            self._checked = time.monotonic()

    def _check_owners(self) -> None:
        if time.monotonic() - self._owners_checked <= OWNER_CHECK_INTERVAL:
            return
        try:
            gone = event_owners.gone(self.db, self.damage.clause)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self.damage.log_once(f"the owners of events cannot be read: {error}")
            gone = []
        if gone:
            raise UnrecordedEnd
        self._owners_checked = time.monotonic()

    def close(self) -> None:
        self.db.close()

    def has_run(self, run: Run) -> bool:
        """Return whether an event of a run was ever created."""
        self.recheck()
        return self.run_id(run) is not None

    def find(self, target: Target) -> Event | None:
        """Return the first event created that matches."""
        self.recheck()
        run = self.run_id(target.run)
        if run is None:
            return None
        selection, parameters = queries.of_target(run, target)
        try:
            row = self.db.execute(queries.first(selection), parameters).fetchone()
            event = None if row is None else rows.decode_event(row[0])
            if event is None or not _is_due(event):
                return event
        except (rows.Undecodable, sqlite3.DatabaseError):
            pass
        return next(iter(self._read_all(f"{selection} ORDER BY id LIMIT 1", parameters)), None)

    def choices(self, target: Target) -> list[Event]:
        """Return the unresolved events that match, or else the last created."""
        self.recheck()
        run = self.run_id(target.run)
        if run is None:
            return []
        selection, parameters = queries.of_target(run, target)
        unresolved = f"{selection} AND phase = '{PAUSED}' ORDER BY id LIMIT {CANDIDATES + 1}"
        return self._read_all(unresolved, parameters) or self._read_all(
            f"{selection} ORDER BY id DESC LIMIT 1", parameters
        )

    def check_expiry(self) -> None:
        """Raise `UnrecordedEnd` if the expiry of an event is not recorded yet."""
        expiry = self.next_expiry()
        if expiry is not None and expiry <= rows.now():
            raise UnrecordedEnd

    def next_expiry(self) -> int | None:
        """Return when the next event expires, in microseconds since 1970; None if none does."""
        query = f"{queries.NEXT_EXPIRY}{self.damage.clause} ORDER BY expires_at LIMIT 1"
        row = self.db.execute(query).fetchone()
        return None if row is None else int(row[0])

    def revision(self) -> int:
        """Return the number of the last change to any event."""
        found: int = self.db.execute(queries.LAST_REVISION).fetchone()[0]
        return found

    def data_version(self) -> int:
        """Return a number that differs once another connection has committed."""
        found: int = self.db.execute("PRAGMA data_version").fetchone()[0]
        return found

    def changes(self, after: int, until: int, runs: Collection[int] | None) -> list[ChangedRow]:
        """Return the changes between two revisions, in order, `BATCH_EVENTS` at most.

        Parameters
        ----------
        runs
            The ids of the runs' rows; None selects all runs.
        """
        changed = read_rows(
            self.db,
            queries.changes(runs),
            (after, until, BATCH_EVENTS),
            keys="id, revision",
            columns="run, action_name, phase",
        )
        return [
            ChangedRow(row_id, revision, run, rows.text(action), phase == _PAUSED, phase is None)
            for row_id, revision, run, action, phase in changed
        ]

    def events(self, ids: Sequence[int]) -> Generator[tuple[int, Event | DamagedEvent], None, None]:
        """Yield the id and the event of each row, in the order of `ids`.

        Close the generator if it is not read to the end.
        """
        parameters = (json.encode(ids).decode(),)
        found = read_rows(self.db, queries.BY_IDS, parameters, keys="event.id")
        with closing(found):
            for row_id, document in found:
                try:
                    yield row_id, rows.decode_event(document)
                except rows.Undecodable:
                    yield row_id, self.damage.add(row_id)

    def run(self, run_id: int) -> Run | None:
        """Return the run of a row, None if it is damaged."""
        found = self._runs.get(run_id)
        return found or _store(self._runs, run_id, rows.run(self.db, run_id))

    def run_id(self, run: Run) -> int | None:
        """Return the id of a run's row, None if no event of the run was ever created."""
        found = self._run_ids.get(run)
        return found or _store(self._run_ids, run, rows.find_run(self.db, run))

    def _read_all(self, selection: str, parameters: Sequence[str | int]) -> list[Event]:
        """Return all selected events.

        Raises
        ------
        DamagedEvent
            If one of them is damaged: the request may refer to it.
        """
        events = []
        columns = "document, phase, expires_at"
        found = list(read_rows(self.db, selection, parameters, columns=columns))
        for row_id, document, phase, expires_at in found:
            event = decode_row(self.db, row_id, document)
            if _is_due(event):
                if phase == _PAUSED and expires_at in range(rows.now() + 1):
                    raise UnrecordedEnd
                raise row_damage_error(self.db, row_id)
            events.append(event)
        return events


def _store(cache: dict[K, V], key: K, value: V | None) -> V | None:
    """Add a value to a cache unless it is None, and return it."""
    if value is not None:
        if len(cache) >= RUN_CACHE_SIZE:
            cache.clear()
        cache[key] = value
    return value


def _is_due(event: Event) -> bool:
    return event.expires_at is not None and rows.is_due(event, rows.now())
