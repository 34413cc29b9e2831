"""Reading events where some of them are damaged.

SQLite has no checksums. What a disk has changed is detected when a document is decoded, or when
SQLite itself reads a broken row. It must affect only that event.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from typing import Any

from flyte_sidecar.backends.local import queries, rows
from flyte_sidecar.backends.local.error_translation import SQLITE_ERRORS, dooms, is_damage
from flyte_sidecar.errors import StoreUnavailable
from flyte_sidecar.events.model import Event

MAX_REMEMBERED = 10_000
"""How many damaged events are remembered at most."""

logger = logging.getLogger(__name__)


class DamagedEvent(StoreUnavailable):
    """One event cannot be read; the store itself is in order."""


class Connection(sqlite3.Connection):
    """A connection to a store.

    Attributes
    ----------
    broken
        The ids of rows that transactions must not read: one that has read such a row cannot commit.
    """

    broken: frozenset[int] = frozenset()


def read(
    db: Connection,
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
        If more than rows is broken, or if a row is broken and a transaction is open.
    """
    done = set()
    try:
        with closing(db.execute(f"SELECT {keys}, {columns} {selection}", parameters)) as cursor:
            for row in cursor:
                done.add(row[0])
                yield row
        return
    except sqlite3.Error as error:
        if not is_damage(error) or (dooms(error) and db.in_transaction):
            raise
    for key in db.execute(f"SELECT {keys} {selection}", parameters).fetchall():
        if key[0] not in done:
            yield key + (_alone(db, key[0], columns) or (None,) * (columns.count(",") + 1))


def find_broken(db: Connection) -> bool:
    """Return whether there are overdue rows that no transaction can read, and exclude them.

    No transaction may be open.
    """
    found = read(db, queries.overdue(db.broken), (rows.now(),))
    broken = {identity for identity, document in found if document is None}
    db.broken |= broken
    return bool(broken)


def event(db: Connection, identity: int, document: object) -> Event:
    """Return the event of a row.

    Raises
    ------
    DamagedEvent
    """
    try:
        return rows.event(document)
    except rows.Undecodable:
        raise damaged(db, identity) from None


def damaged(db: Connection, identity: int) -> DamagedEvent:
    """Return the error of a damaged event, which names the event if its columns are readable."""
    action = run = None
    query = "SELECT action_name, (SELECT name FROM run WHERE run.id = run) FROM event WHERE id = ?"
    with suppress(*SQLITE_ERRORS, TypeError):
        action, run = db.execute(query, (identity,)).fetchone()
    if not isinstance(action, bytes) or not isinstance(run, bytes):
        return named(f"event number {identity}", None)
    return named(f"event {rows.text(action)!r} in run {rows.text(run)!r}", rows.text(action))


def named(description: str, action: str | None) -> DamagedEvent:
    """Return the error of a damaged event with a description."""
    message = f"{description} cannot be read: its record in the store is damaged"
    return DamagedEvent(message, reason="io", outcome="none", actionName=action)


def _alone(db: Connection, identity: int, columns: str) -> tuple[Any, ...] | None:
    """Return the columns of one row, None if the row is missing or broken.

    Raises
    ------
    sqlite3.Error
        If the row cannot even be located: then the table itself is broken.
    """
    try:
        row = db.execute(f"SELECT {columns} FROM event WHERE id = ?", (identity,)).fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        db.execute("SELECT id FROM event WHERE id = ?", (identity,)).fetchone()
        return None
    return None if row is None else tuple(row)


class Damage:
    """The damaged events that reads of one store have found; each is logged once."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._events: set[int] = set()
        self._logged: set[str] = set()
        self._clause: str | None = ""

    def add(self, identity: int) -> DamagedEvent:
        """Remember a damaged event, log it, and return its error."""
        error = damaged(self._db, identity)
        if identity not in self._events and len(self._events) < MAX_REMEMBERED:
            self._events.add(identity)
            self._clause = None
        self.log_once(error.message)
        return error

    def log_once(self, message: str) -> None:
        if message not in self._logged and len(self._logged) < MAX_REMEMBERED:
            self._logged.add(message)
            logger.error("%s", message)

    @property
    def clause(self) -> str:
        """SQL that excludes them from a count."""
        if self._clause is None:
            self._clause = f" AND event.id NOT IN ({', '.join(map(str, self._events))})"
        return self._clause
