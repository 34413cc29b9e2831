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
from typing import NamedTuple

from msgspec import json

from flyte_sidecar.backends.local import documents, queries, rows, tables
from flyte_sidecar.backends.local.documents import Damage, DamagedEvent
from flyte_sidecar.backends.local.file import OpenFile
from flyte_sidecar.events.backend import CANDIDATES
from flyte_sidecar.events.model import PAUSED, Event, Run, Target

RECHECK_INTERVAL = 0.05
"""Seconds for which a read trusts that the store is still in its place."""

RUN_CACHE_SIZE = 1000
"""How many runs are cached at most."""

BATCH_EVENTS = 500
"""How many events are read at once for a watch."""

BATCH_BYTES = 1 << 20
"""Bytes of events after which no more are read at once."""

_PAUSED = PAUSED.encode()


class Overdue(Exception):
    """An event has expired and that is not recorded yet.

    It must be recorded before it is reported, so that a clock set back reverts nothing.
    """


class ChangedRow(NamedTuple):
    """Which event has changed, as far as that is known without reading the event itself.

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

    Each method may also raise `Overdue`, `sqlite3.Error` and `StoreUnavailable`, and
    `DamagedEvent` where one event is meant.

    Attributes
    ----------
    db
        The connection.
    store_id
        Identifies the store in cursors.
    damage
        The damaged events that reads have met.
    """

    def __init__(self, file: OpenFile) -> None:
        self.db = file.reading
        self.store_id = file.store_id
        self.damage = Damage(self.db)
        self._file = file
        self._checked = -math.inf
        # Runs are never deleted, so what is cached of them stays true.
        self._run_ids: dict[Run, int] = {}
        self._runs: dict[int, Run] = {}

    def check(self) -> None:
        """Raise if the store was replaced, or migrated by a newer release."""
        self._checked = -math.inf  # once it has failed, no read trusts the store
        self._file.check_in_place("none")
        tables.check_version(tables.version(self.db), self._file.path)
        self._checked = time.monotonic()

    def recheck(self, after: float = RECHECK_INTERVAL) -> None:
        """Check unless that was done in the last `after` seconds: it costs as much as a read."""
        if time.monotonic() - self._checked > after:
            self.check()

    def close(self) -> None:
        self.db.close()

    def find(self, target: Target) -> Event | None:
        """Return the first event created that matches."""
        self.recheck()
        run = self.run_id(target.run)
        if run is None:
            return None
        selection, parameters = rows.where(run, target)
        try:
            row = self.db.execute(queries.FIRST[selection], parameters).fetchone()
            event = None if row is None else rows.event(row[0])
            if event is None or not _is_due(event):
                return event
        except (rows.Undecodable, sqlite3.DatabaseError):
            pass
        return next(iter(self._intact(f"{selection} ORDER BY id LIMIT 1", parameters)), None)

    def choices(self, target: Target) -> list[Event]:
        """Return the unresolved events that match, or else the last created."""
        self.recheck()
        run = self.run_id(target.run)
        if run is None:
            return []
        selection, parameters = rows.where(run, target)
        unresolved = f"{selection} AND phase = '{PAUSED}' ORDER BY id LIMIT {CANDIDATES + 1}"
        return self._intact(unresolved, parameters) or self._intact(
            f"{selection} ORDER BY id DESC LIMIT 1", parameters
        )

    def check_expiry(self) -> None:
        """Raise `Overdue` if an event has expired and that is not recorded yet."""
        expiry = self.next_expiry()
        if expiry is not None and expiry <= rows.now():
            raise Overdue

    def next_expiry(self) -> int | None:
        """Return the instant at which the first of the unresolved events expires."""
        query = f"{queries.NEXT_EXPIRY}{self.damage.clause} ORDER BY expires_at LIMIT 1"
        row = self.db.execute(query).fetchone()
        return None if row is None else int(row[0])

    def revision(self) -> int:
        """Return the number of the last change to any event."""
        query = f"SELECT coalesce(max(revision), 0) FROM event WHERE revision < {rows.BEYOND}"
        found: int = self.db.execute(query).fetchone()[0]
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
        changed = documents.read(
            self.db,
            queries.changes(runs),
            (after, until, BATCH_EVENTS),
            keys="id, revision",
            columns="run, action_name, phase",
        )
        return [
            ChangedRow(identity, revision, run, rows.text(action), phase == _PAUSED, phase is None)
            for identity, revision, run, action, phase in changed
        ]

    def events(self, ids: Sequence[int]) -> Generator[tuple[int, Event | DamagedEvent], None, None]:
        """Yield the id and the event of each row, in the order of `ids`.

        Close the generator if it is not read to the end.
        """
        parameters = (json.encode(ids).decode(),)
        found = documents.read(self.db, queries.BY_IDS, parameters, keys="event.id")
        with closing(found):
            for identity, document in found:
                try:
                    yield identity, rows.event(document)
                except rows.Undecodable:
                    yield identity, self.damage.add(identity)

    def run(self, run_id: int) -> Run | None:
        """Return the run of a row, None if it is damaged."""
        run = self._runs.get(run_id)
        if run is None:
            run = rows.run(self.db, run_id)
            if run is not None:
                if len(self._runs) >= RUN_CACHE_SIZE:
                    self._runs.clear()
                self._runs[run_id] = run
        return run

    def run_id(self, run: Run) -> int | None:
        """Return the id of a run's row, None if no event of the run was ever created."""
        found = self._run_ids.get(run)
        if found is None:
            found = rows.find_run(self.db, run)
            if found is not None:
                if len(self._run_ids) >= RUN_CACHE_SIZE:
                    self._run_ids.clear()
                self._run_ids[run] = found
        return found

    def _intact(self, selection: str, parameters: Sequence[str | int]) -> list[Event]:
        """Return the events selected, each of which the request may mean.

        Raises
        ------
        DamagedEvent
            If one of them is damaged.
        """
        events = []
        columns = "document, phase, expires_at"
        found = list(documents.read(self.db, selection, parameters, columns=columns))
        for identity, document, phase, expires_at in found:
            event = documents.event(self.db, identity, document)
            if _is_due(event):
                if phase == _PAUSED and expires_at in range(rows.now() + 1):
                    raise Overdue
                raise documents.damaged(self.db, identity)  # no write finds that it is due
            events.append(event)
        return events


def _is_due(event: Event) -> bool:
    return event.expires_at is not None and rows.is_due(event, rows.now())
