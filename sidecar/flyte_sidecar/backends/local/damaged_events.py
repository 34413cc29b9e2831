"""Reading rows of which some are damaged: a damaged row must affect only its own event.

SQLite has no checksums. Damage is detected when a document is decoded (a damaged event), or when
SQLite itself cannot read a row (a broken row).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from itertools import chain
from typing import Any

from flyte_sidecar.backends.local import queries, rows
from flyte_sidecar.backends.local.error_translation import (
    SQLITE_ERRORS,
    aborts_transaction,
    is_damage,
)
from flyte_sidecar.errors import StoreUnavailable
from flyte_sidecar.events.model import Event

MAX_DAMAGED_EVENTS = 10_000
"""Maximum number of damaged events that are excluded from counts and logged."""

logger = logging.getLogger(__name__)


class DamagedEvent(StoreUnavailable):
    """One event cannot be read; the others can.

    Attributes
    ----------
    run_id
        The id of the run's row; None if it is not readable.
    """

    run_id: int | None = None


class StoreConnection(sqlite3.Connection):
    """A connection to a store.

    Attributes
    ----------
    broken
        The ids of expired or owned rows that transactions must not read: reading them prevents a
        commit.
    """

    broken: frozenset[int] = frozenset()


def read_rows(
    db: StoreConnection,
    selection: str,
    parameters: Sequence[str | int],
    keys: str = "id",
    columns: str = "document",
) -> Generator[tuple[Any, ...], None, None]:
    """Yield the keys and the columns of each selected row; the columns of a broken row are None.

    Close the generator if it is not read to the end.

    Parameters
    ----------
    selection
        SQL from FROM on, which reads only an index that also has the keys.
    keys
        The id of the row, and possibly more columns of the index.

    Raises
    ------
    sqlite3.Error
        If more than single rows is broken, or if a row is broken and a transaction is open.
    """
    done = set()
    try:
        with closing(db.execute(f"SELECT {keys}, {columns} {selection}", parameters)) as cursor:
            for row in cursor:
                done.add(row[0])
                yield row
        return
    except sqlite3.Error as error:
        if not is_damage(error) or (aborts_transaction(error) and db.in_transaction):
            raise
    for key in db.execute(f"SELECT {keys} {selection}", parameters).fetchall():
        if key[0] not in done:
            yield key + (_read_row(db, key[0], columns) or (None,) * (columns.count(",") + 1))


def exclude_broken_rows(db: StoreConnection) -> bool:
    """Exclude the broken rows from what ends by itself, and return whether new ones were found.

    No transaction may be open.
    """
    owned = f"{queries.OWNED}{queries.excluding(db.broken)}"
    found = chain(
        read_rows(db, queries.expired(db.broken), (rows.now(),)), read_rows(db, owned, ())
    )
    broken = {row_id for row_id, document in found if document is None}
    db.broken |= broken
    return bool(broken)


def decode_row(db: StoreConnection, row_id: int, document: object) -> Event:
    """Return the event of a row.

    Raises
    ------
    DamagedEvent
    """
    try:
        return rows.decode_event(document)
    except rows.Undecodable:
        raise row_damage_error(db, row_id) from None


def row_damage_error(db: StoreConnection, row_id: int) -> DamagedEvent:
    """Return the error of a damaged row, with the event's id and run if they are readable."""
    run_id = action = run = None
    query = (
        "SELECT run, action_name, (SELECT name FROM run WHERE run.id = run) FROM event WHERE id = ?"
    )
    with suppress(*SQLITE_ERRORS, TypeError):
        run_id, action, run = db.execute(query, (row_id,)).fetchone()
    if not isinstance(action, bytes) or not isinstance(run, bytes):
        return damage_error(f"event number {row_id}", None)
    error = damage_error(
        f"event {rows.text(action)!r} in run {rows.text(run)!r}", rows.text(action)
    )
    error.run_id = run_id
    return error


def damage_error(description: str, action: str | None) -> DamagedEvent:
    """Return the error of a damaged event; `action` is its id, if that is readable."""
    message = f"{description} cannot be read: its record in the store is damaged"
    return DamagedEvent(message, reason="io", outcome="none", actionName=action)


def _read_row(db: StoreConnection, row_id: int, columns: str) -> tuple[Any, ...] | None:
    """Return the columns of one row, None if the row is missing or broken.

    Raises
    ------
    sqlite3.Error
        If the row cannot even be located: then the table itself is broken.
    """
    try:
        row = db.execute(f"SELECT {columns} FROM event WHERE id = ?", (row_id,)).fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        db.execute("SELECT id FROM event WHERE id = ?", (row_id,)).fetchone()
        return None
    return None if row is None else tuple(row)


class DamagedEvents:
    """The damaged events that reads of one store have found."""

    def __init__(self, db: StoreConnection) -> None:
        self._db = db
        self._events: set[int] = set()
        self._logged: set[str] = set()
        self._clause: str | None = ""

    def add(self, row_id: int) -> DamagedEvent:
        """Add a damaged event, log its error once, and return the error."""
        error = row_damage_error(self._db, row_id)
        if row_id not in self._events and len(self._events) < MAX_DAMAGED_EVENTS:
            self._events.add(row_id)
            self._clause = None
        self.log_once(error.message)
        return error

    def log_once(self, message: str) -> None:
        if message not in self._logged and len(self._logged) < MAX_DAMAGED_EVENTS:
            self._logged.add(message)
            logger.error("%s", message)

    @property
    def clause(self) -> str:
        """SQL that excludes these events from a query."""
        if self._clause is None:
            self._clause = queries.excluding(self._events)
        return self._clause
