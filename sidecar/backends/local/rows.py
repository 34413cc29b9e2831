"""Events to rows and back.

An event is kept as the JSON document that goes over the wire: one column is read and decoded
in half the time that as many columns as an event has members would take.
"""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, timedelta

from msgspec import json
from msgspec.structs import replace

from sidecar.events import payload as payloads
from sidecar.events.model import Event, Place, Run, Target

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_decode = json.Decoder(Event).decode
_encode = json.Encoder().encode


def event(document: str) -> Event:
    """Give the event of a document."""
    found = _decode(document)
    if type(found.payload) is str and found.expected_type != "str":
        # JSON has no NaN, and readers of it round long integers.
        value = payloads.fit(found.payload, found.expected_type, None)
        return replace(found, payload=value)
    return found


def document(event: Event) -> str:
    """Give the document of an event."""
    return _encode(replace(event, payload=payloads.for_json(event.payload))).decode()


def instant(microseconds: int) -> datetime:
    """Give the instant so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(instant: datetime) -> int:
    """Give how many microseconds after 1970 began the instant is."""
    return (instant - _EPOCH) // _MICROSECOND


def now() -> int:
    """Give the instant as the store keeps it, in microseconds since 1970."""
    return time.time_ns() // 1000


def run_key(run: Run) -> tuple[str, str, str, str]:
    """Give a run's org, project, domain and name as columns hold them."""
    return (run.org or "", run.project or "", run.domain or "", run.name)


def place_key(place: Place) -> tuple[str, str, str]:
    """Give a place's org, project and domain as columns hold them."""
    return (place.org or "", place.project or "", place.domain or "")


def find_run(db: sqlite3.Connection, run: Run) -> int | None:
    """Give the run's id, or None where no event of it was ever made."""
    row = db.execute(
        "SELECT id FROM run WHERE org = ? AND project = ? AND domain = ? AND name = ?",
        run_key(run),
    ).fetchone()
    return None if row is None else int(row[0])


def where(run: int, target: Target) -> tuple[str, tuple[int | str, ...]]:
    """Give the SQL from FROM on that selects what a target stands for, and its parameters."""
    if target.action_name is not None:
        return _BY_ACTION, (run, target.action_name)
    if target.parent is None:
        return _BY_NAME, (run, target.name or "")
    return _BY_PARENT, (run, target.parent, target.name or "")


# The planner has no statistics: left alone, it may take an index that fits half the run.
_BY_ACTION = "FROM event INDEXED BY event_by_action WHERE run = ? AND action_name = ?"
_BY_NAME = "FROM event INDEXED BY event_by_name WHERE run = ? AND name = ?"
_BY_PARENT = (
    "FROM event INDEXED BY event_by_parent_and_name WHERE run = ? AND parent = ? AND name = ?"
)
