"""The changes that the store knows; each checks and changes inside one transaction."""

from __future__ import annotations

import getpass
import os
import sqlite3
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from sidecar.backends.local import rows
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
    overdue = db.execute(
        "SELECT id, document FROM event INDEXED BY pending_by_expiry"
        f" WHERE phase = '{PAUSED}' AND expires_at <= ?",
        (rows.now(),),
    ).fetchall()
    for identity, document in overdue:
        event = rows.event(document)
        _put(db, identity, _ended(event, TIMED_OUT, ended_at=event.expires_at))


def create(new: NewEvent) -> Change[Event]:
    """Make an event, and its run if this is the first of it."""

    def change(db: sqlite3.Connection) -> Event:
        expire(db)
        target = Target(new.run, name=new.name, parent=new.parent)
        used = _find(db, target)
        if used is not None:
            raise EventExists(f"there was an {target} before", event=used[1])
        event = _event(new)
        expires = event.expires_at
        db.execute(
            "INSERT INTO event"
            " (run, action_name, parent, name, phase, expires_at, revision, document)"
            f" VALUES (?, ?, ?, ?, ?, ?, {_NEXT}, ?)",
            (
                _run_id(db, new.run),
                event.action_name,
                new.parent,
                new.name,
                event.phase,
                None if expires is None else rows.microseconds(expires),
                rows.document(event),
            ),
        )
        return event

    return change


def signal(event: Event, payload: Payload) -> Change[Event]:
    """Answer an event that waits."""

    def change(db: sqlite3.Connection) -> Event:
        identity, stands = _stands(db, event)
        if not stands.pending:
            return signalled_again(stands, payload)
        answered = _ended(stands, SUCCEEDED, payload=payload, signalled_by=_user())
        return _put(db, identity, answered)

    return change


def abort(event: Event, reason: str | None) -> Change[Event]:
    """End an event that waits, without an answer."""

    def change(db: sqlite3.Connection) -> Event:
        identity, stands = _stands(db, event)
        if not stands.pending:
            return aborted_again(stands)
        return _put(db, identity, _ended(stands, ABORTED, abort_reason=reason))

    return change


def _event(new: NewEvent) -> Event:
    at = rows.instant(rows.now())
    return Event(
        name=new.name,
        # Random: an id from a store that is gone never means an event of this one.
        action_name=f"e{os.urandom(8).hex()}",
        run_name=new.run.name,
        org=new.run.org,
        project=new.run.project,
        domain=new.run.domain,
        parent=new.parent,
        group=new.group,
        phase=PAUSED,
        pending=True,
        expected_type=new.expected_type,
        prompt=new.prompt,
        prompt_type=new.prompt_type,
        description=new.description,
        created_at=at,
        ended_at=None,
        expires_at=None if new.expires_in is None else at + timedelta(seconds=new.expires_in),
        payload=None,
        signalled_by=None,
        abort_reason=None,
        url=None,
        partial=False,
    )


def _ended(event: Event, phase: str, **members: Any) -> Event:
    members.setdefault("ended_at", rows.instant(rows.now()))
    return replace(event, phase=phase, pending=False, **members)


def _stands(db: sqlite3.Connection, event: Event) -> tuple[int, Event]:
    """Give the event as it stands now, and its place in the table."""
    expire(db)
    target = Target(event.run, action_name=event.action_name)
    found = _find(db, target)
    if found is None:
        raise EventNotFound(f"there is no {target}")
    return found


def _find(db: sqlite3.Connection, target: Target) -> tuple[int, Event] | None:
    run = rows.find_run(db, target.run)
    if run is None:
        return None
    selection, parameters = rows.where(run, target)
    row = db.execute(f"SELECT id, document {selection}", parameters).fetchone()
    return None if row is None else (row[0], rows.event(row[1]))


def _put(db: sqlite3.Connection, identity: int, event: Event) -> Event:
    db.execute(
        f"UPDATE event SET phase = ?, document = ?, revision = {_NEXT} WHERE id = ?",
        (event.phase, rows.document(event), identity),
    )
    return event


def _run_id(db: sqlite3.Connection, run: Run) -> int:
    db.execute(
        "INSERT INTO run (org, project, domain, name, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (*rows.run_key(run), rows.now()),
    )
    found = rows.find_run(db, run)
    assert found is not None
    return found


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None  # a process whose user has no name, as in some containers
