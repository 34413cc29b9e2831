"""The store's tables, and how an older store is brought up to date."""

from __future__ import annotations

import os
import sqlite3

from sidecar.errors import StoreUnavailable

APPLICATION_ID = 0x464C5345
"""Marks the file as ours in SQLite's header: "FLSE"."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # An identity of the store itself, by which a cursor knows where it belongs.
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
        # The document is the event as JSON; the columns are what queries select by. Ids rise
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
            document TEXT NOT NULL,
            UNIQUE (run, action_name),
            UNIQUE (run, parent, name)
        ) STRICT
        """,
        "CREATE INDEX event_by_name ON event (run, name)",
        "CREATE INDEX event_by_phase ON event (run, phase)",
        "CREATE INDEX event_by_revision ON event (revision)",
        "CREATE INDEX event_by_expiry ON event (expires_at) WHERE phase = 'PAUSED'",
    ),
)

VERSION = len(MIGRATIONS)


def version(db: sqlite3.Connection) -> int:
    """Read the version of the store's schema; 0 for an empty file."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def check_version(found: int) -> None:
    """Refuse a store that a newer release has made or migrated."""
    if found > VERSION:
        raise StoreUnavailable(
            f"the store has schema version {found}, this release knows {VERSION}:"
            " use a newer flyte-sidecar",
            reason="newer",
            outcome="none",
        )


def migrate(db: sqlite3.Connection) -> None:
    """Bring the store to this release's schema, in one transaction."""
    if version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        found = version(db)  # another process may have been faster
        check_version(found)
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
