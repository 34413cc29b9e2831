"""The mutations of a store: each checks and changes an event inside one transaction."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any, NamedTuple

from msgspec.structs import replace

from flyte_sidecar.backends.local import event_owners, queries, rows
from flyte_sidecar.backends.local.damaged_events import (
    StoreConnection,
    damage_error,
    decode_row,
    read_rows,
    row_damage_error,
)
from flyte_sidecar.backends.local.error_translation import aborts_transaction, is_damage
from flyte_sidecar.backends.local.writer import Mutation
from flyte_sidecar.errors import EventExists, EventNotFound
from flyte_sidecar.events.model import (
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
from flyte_sidecar.events.service import aborted_again, signalled_again

_NEXT_REVISION = f"(({queries.LAST_REVISION}) + 1)"


OWNER_GONE = "the process of the run ended"
"""Why events are aborted whose owner is gone."""


class _Found(NamedTuple):
    row_id: int
    event: Event
    owner: int | None


def end_overdue(db: StoreConnection) -> list[int]:
    """Record every end that nobody requests: expiry, and the end of an event's owner.

    Returns the row ids of damaged events: what they contain is unknown, so they stay unchanged.
    """
    damaged = expire(db)
    excluded = queries.excluding(db.broken)
    for owner in event_owners.gone(db, excluded):
        owned = read_rows(db, f"{queries.OWNED} AND owner = ?{excluded}", (owner,))
        damaged += _end_each(db, owned, lambda event: event.pending, _abandoned)
    return damaged


def expire(db: StoreConnection) -> list[int]:
    """Record the expiry of every event that is past its time; returns as `end_overdue`."""
    now = rows.now()
    expired = read_rows(db, queries.expired(db.broken), (now,))
    damaged = _end_each(db, expired, lambda event: rows.is_due(event, now), _expired)
    return [*db.broken, *damaged]


def _end_each(
    db: StoreConnection,
    found: Generator[tuple[Any, ...], None, None],
    is_due: Callable[[Event], bool],
    end: Callable[[Event], Event],
) -> list[int]:
    """End events, and return the row ids of those that are damaged."""
    damaged = []
    for row_id, document in list(found):
        try:
            event = rows.decode_event(document)
            if not is_due(event):
                raise rows.Undecodable  # the document and the columns contradict each other
            _update(db, row_id, end(event))
        except rows.Undecodable:
            damaged.append(row_id)
        except sqlite3.Error as error:
            if not is_damage(error) or aborts_transaction(error):
                raise
            damaged.append(row_id)  # an index contradicts the row; the statement was rolled back
    return damaged


def create(new: NewEvent) -> Mutation[Event]:
    """Create an event, and its run if this is the first event of the run."""

    def mutate(db: StoreConnection) -> Event:
        expire(db)
        target = Target(new.run, name=new.name, parent=new.parent)
        found = _find(db, target)
        if found is not None:
            raise EventExists(f"an {target} already exists", event=_settled(db, found))
        # Random: an id from a deleted store never refers to an event of this one.
        action_name = f"e{os.urandom(8).hex()}"
        return _insert(db, _run_id(db, new.run), _new_event(new, action_name))

    return mutate


def create_owned(new: NewEvent, action_name: str) -> Mutation[Event]:
    """Create an event that this process owns, with a suffix if the run has the action already."""

    def mutate(db: StoreConnection) -> Event:
        expire(db)
        run = _run_id(db, new.run)
        unused = action_name
        for number in itertools.count(2):
            if db.execute(queries.ACTION_EXISTS, (run, unused)).fetchone() is None:
                break
            unused = f"{action_name}-{number}"
        return _insert(db, run, _new_event(new, unused), event_owners.claim(db))

    return mutate


def signal(event: Event, payload: Payload) -> Mutation[Event]:
    """Answer a pending event."""

    def mutate(db: StoreConnection) -> Event:
        row_id, current = _current(db, event)
        if not current.pending:
            return signalled_again(current, payload)
        answered = _resolved(current, SUCCEEDED, payload=payload, signalled_by=user_name())
        return _update(db, row_id, answered)

    return mutate


def abort(event: Event, reason: str | None) -> Mutation[Event]:
    """Abort a pending event."""

    def mutate(db: StoreConnection) -> Event:
        row_id, current = _current(db, event)
        if not current.pending:
            return aborted_again(current)
        return _update(db, row_id, _resolved(current, ABORTED, abort_reason=reason))

    return mutate


def time_out(event: Event) -> Mutation[Event]:
    """End an event as timed out if it is still pending."""

    def mutate(db: StoreConnection) -> Event:
        row_id, current = _current(db, event)
        if not current.pending:
            return current
        return _update(db, row_id, _expired(current))

    return mutate


def _new_event(new: NewEvent, action_name: str) -> Event:
    at = rows.instant(rows.now())
    return Event(
        name=new.name,
        action_name=action_name,
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


def _insert(db: StoreConnection, run: int, event: Event, owner: int | None = None) -> Event:
    expires = event.expires_at
    db.execute(
        "INSERT INTO event"
        " (run, action_name, parent, name, phase, expires_at, owner, revision, document)"
        f" VALUES (?, ?, ?, ?, ?, ?, ?, {_NEXT_REVISION}, ?)",
        (
            run,
            event.action_name,
            event.parent,
            event.name,
            event.phase,
            None if expires is None else rows.microseconds(expires),
            owner,
            rows.encode_event(event),
        ),
    )
    return event


def _resolved(event: Event, phase: str, **members: Any) -> Event:
    members.setdefault("ended_at", rows.instant(rows.now()))
    return replace(event, phase=phase, pending=False, **members)


def _expired(event: Event) -> Event:
    ended_at = event.expires_at or rows.instant(rows.now())
    return _resolved(event, TIMED_OUT, ended_at=ended_at)


def _abandoned(event: Event) -> Event:
    return _resolved(event, ABORTED, abort_reason=OWNER_GONE)


def _current(db: StoreConnection, event: Event) -> tuple[int, Event]:
    """Return the row id and the current state of an event."""
    expire(db)
    found = _find(db, event.target)
    if found is None:
        raise EventNotFound(f"there is no {event.target}")
    if rows.is_due(found.event, rows.now()):
        raise row_damage_error(db, found.row_id)
    return found.row_id, _settled(db, found)


def _settled(db: StoreConnection, found: _Found) -> Event:
    """Return the state of an event, which is aborted first if its owner is gone."""
    if found.event.pending and found.owner is not None and event_owners.is_gone(db, found.owner):
        return _update(db, found.row_id, _abandoned(found.event))
    return found.event


def _find(db: StoreConnection, target: Target) -> _Found | None:
    run = rows.find_run(db, target.run)
    if run is None:
        return None
    selection, parameters = queries.of_target(run, target)
    try:
        found = read_rows(db, selection, parameters, columns="document, owner")
        for row_id, document, owner in list(found):
            return _Found(row_id, decode_row(db, row_id, document), owner)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        raise damage_error(str(target), target.action_name) from error
    return None


def _update(db: StoreConnection, row_id: int, event: Event) -> Event:
    db.execute(
        f"UPDATE event SET phase = ?, document = ?, revision = {_NEXT_REVISION} WHERE id = ?",
        (event.phase, rows.encode_event(event), row_id),
    )
    return event


def _run_id(db: StoreConnection, run: Run) -> int:
    db.execute(
        "INSERT INTO run (org, project, domain, name, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (*rows.run_key(run), rows.now()),
    )
    found = rows.find_run(db, run)
    assert found is not None
    return found


def user_name() -> str | None:
    r"""Return the name of the process's user, with bytes that are not UTF-8 as ``\x`` escapes.

    None if the user has no name, as in some containers.
    """
    import getpass  # takes time, and is used for writes only

    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None
    return os.fsencode(name).decode(errors="backslashreplace")
