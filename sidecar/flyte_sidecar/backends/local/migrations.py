"""The store's schema, and its migrations."""

from __future__ import annotations

import os
import sqlite3

from flyte_sidecar.backends.local.error_translation import unavailable

APPLICATION_ID = 0x464C5345
"""Marks a file as a store, in SQLite's header: "FLSE"."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Identifies the store, so that a cursor of another store is rejected.
        "CREATE TABLE store (id TEXT NOT NULL) STRICT",
        """
        CREATE TABLE run (
            id INTEGER PRIMARY KEY,
            org TEXT NOT NULL,
            project TEXT NOT NULL,
            domain TEXT NOT NULL,
            name TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            UNIQUE (org, project, domain, name)
        ) STRICT
        """,
        # The document is the event as JSON; queries select by the other columns. Ids increase
        # in creation order, the revision with every change to any event, and expires_at is
        # in microseconds since 1970.
        """
        CREATE TABLE event (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run INTEGER NOT NULL REFERENCES run (id),
            action_name TEXT NOT NULL,
            parent TEXT NOT NULL,
            name TEXT NOT NULL,
            phase TEXT NOT NULL,
            expires_at INTEGER,
            revision INTEGER NOT NULL,
            document TEXT NOT NULL
        ) STRICT
        """,
        "CREATE UNIQUE INDEX event_by_action ON event (run, action_name)",
        "CREATE UNIQUE INDEX event_by_parent_and_name ON event (run, parent, name)",
        # Every index ends with the id, which orders listings and determines "the first created".
        "CREATE INDEX event_by_name ON event (run, name)",
        "CREATE INDEX event_by_run ON event (run)",
        "CREATE INDEX event_by_parent ON event (run, parent)",
        "CREATE INDEX event_by_revision ON event (revision)",
        "CREATE INDEX pending_by_run ON event (run) WHERE phase = 'PAUSED'",
        """
        CREATE INDEX pending_by_expiry ON event (expires_at)
        WHERE phase = 'PAUSED' AND expires_at IS NOT NULL
        """,
    ),
    (
        # Runs are listed in the order of their ids, with which the index ends.
        "CREATE INDEX run_by_place ON run (org, project, domain)",
    ),
    (
        # Has all columns that the change feed needs to skip an event without a subscriber.
        "CREATE INDEX event_by_change ON event (revision, run, action_name, phase)",
        "DROP INDEX event_by_revision",
    ),
    (
        # The processes that own events. The process is a JSON document, and renewed_at is in
        # microseconds of the monotonic clock.
        """
        CREATE TABLE owner (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            process TEXT NOT NULL UNIQUE,
            renewed_at INTEGER NOT NULL
        ) STRICT
        """,
        "ALTER TABLE event ADD COLUMN owner INTEGER REFERENCES owner (id)",
        """
        CREATE INDEX pending_by_owner ON event (owner)
        WHERE phase = 'PAUSED' AND owner IS NOT NULL
        """,
        # Events of a local run may share parent and name: no longer unique.
        "DROP INDEX event_by_parent_and_name",
        "CREATE INDEX event_by_parent_and_name ON event (run, parent, name)",
    ),
)

VERSION = len(MIGRATIONS)


def version(db: sqlite3.Connection) -> int:
    """Return the version of the store's schema; 0 for an empty file."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def check_version(found: int, path: str) -> None:
    """Raise if a newer release has created or migrated the store."""
    if found > VERSION:
        detail = f"its schema version is {found}, this release supports {VERSION}"
        raise unavailable("newer", path, "none", detail)


def migrate(db: sqlite3.Connection, path: str) -> None:
    """Migrate the store to this release's schema, in one transaction."""
    if version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        found = version(db)  # another process may have been faster
        check_version(found, path)
        for statements in MIGRATIONS[found:]:
            for statement in statements:
                db.execute(statement)
        if found == 0:
            db.execute("INSERT INTO store VALUES (?)", (os.urandom(8).hex(),))
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
