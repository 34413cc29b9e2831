"""The changes that the store knows; each checks and changes inside one transaction."""

from __future__ import annotations

import getpass
import os
import sqlite3
from collections.abc import Callable
from typing import Any

from sidecar.backends.local import rows
from sidecar.backends.local.reader import now
from sidecar.backends.local.writer import Change
from sidecar.errors import EventExists, EventNotFound
from sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    NewEvent,
    Payload,
    Run,
    Target,
)
from sidecar.events.service import aborted_again, signalled_again

_NEXT = "(SELECT coalesce(max(revision), 0) + 1 FROM event)"


def expire(db: sqlite3.Connection) -> None:
    """Record the end of every event that is past its time."""
    db.execute(
        f"UPDATE event SET phase = '{TIMED_OUT}', ended_at = expires_at, revision = {_NEXT}"
        f" WHERE phase = '{PAUSED}' AND expires_at <= ?",
        (now(),),
    )


def create(new: NewEvent) -> Change[Event]:
    """Make an event, and its run if this is the first of it."""

    def change(db: sqlite3.Connection) -> Event:
        expire(db)
        target = Target(new.run, name=new.name, parent=new.parent)
        used = _find(db, target)
        if used is not None:
            raise EventExists(f"there was an {target} before", event=used)
        at = now()
        # A random id: one from a store that is gone never means an event of this one.
        action_name = f"e{os.urandom(8).hex()}"
        db.execute(
            'INSERT INTO event (run, action_name, parent, name, "group", phase, expected_type,'
            " prompt, prompt_type, description, created_at, expires_at, revision)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {_NEXT})",
            (
                _run_id(db, new.run, at),
                action_name,
                new.parent,
                new.name,
                new.group,
                PAUSED,
                new.expected_type,
                new.prompt,
                new.prompt_type,
                new.description,
                at,
                None if new.expires_in is None else at + round(new.expires_in * 1_000_000),
            ),
        )
        return _stands(db, Target(new.run, action_name=action_name))

    return change


def signal(event: Event, payload: Payload) -> Change[Event]:
    """Answer an event that waits."""

    def change(db: sqlite3.Connection) -> Event:
        return _end(
            db,
            event,
            {"phase": SUCCEEDED, "payload": rows.to_text(payload), "signalled_by": _user()},
            lambda stands: signalled_again(stands, payload),
        )

    return change


def abort(event: Event, reason: str | None) -> Change[Event]:
    """End an event that waits, without an answer."""

    def change(db: sqlite3.Connection) -> Event:
        return _end(db, event, {"phase": ABORTED, "abort_reason": reason}, aborted_again)

    return change


def _end(
    db: sqlite3.Connection,
    event: Event,
    columns: dict[str, Any],
    otherwise: Callable[[Event], Event],
) -> Event:
    """Set the columns if the event still waits; else let `otherwise` judge how it stands."""
    expire(db)
    run = Run(event.org, event.project, event.domain, event.run_name)
    target = Target(run, action_name=event.action_name)
    stands = _stands(db, target)
    if not stands.pending:
        return otherwise(stands)
    assignments = ", ".join(f"{column} = ?" for column in columns)
    db.execute(
        f"UPDATE event SET {assignments}, ended_at = ?, revision = {_NEXT}"
        " WHERE action_name = ? AND run = ?",
        (*columns.values(), now(), event.action_name, _run_id(db, run, 0)),
    )
    return _stands(db, target)


def _find(db: sqlite3.Connection, target: Target) -> Event | None:
    condition, parameters = rows.where(target)
    row = db.execute(f"SELECT {rows.COLUMNS} {rows.FROM} WHERE {condition}", parameters).fetchone()
    return None if row is None else rows.event(row)


def _stands(db: sqlite3.Connection, target: Target) -> Event:
    found = _find(db, target)
    if found is None:
        raise EventNotFound(f"there is no {target}")
    return found


def _run_id(db: sqlite3.Connection, run: Run, at: int) -> int:
    key = rows.run_key(run)
    db.execute(
        "INSERT INTO run (org, project, domain, name, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (*key, at),
    )
    found: int = db.execute(f"SELECT r.id FROM run r WHERE {rows.OF_RUN}", key).fetchone()[0]
    return found


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None  # a process whose user has no name, as in some containers
