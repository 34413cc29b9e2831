"""Converting events to rows and back.

An event is stored as the JSON document that goes over the wire: one column is read and decoded
in half the time that one column for each of its members would take.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import json
from msgspec.structs import replace

from flyte_sidecar.backends.local.error_translation import is_damage
from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events import payloads
from flyte_sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    Run,
    RunInfo,
    Scope,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_decode: Callable[[Any], Event] = json.Decoder(Event).decode
_encode = json.Encoder().encode

_ENDED = frozenset((SUCCEEDED, ABORTED, TIMED_OUT))
_PLAIN = {"bool": bool, "int": int, "float": float, "str": str}
_INT64 = range(-(2**63), 2**63)


class Undecodable(Exception):
    """A document is damaged."""


def decode_event(document: object) -> Event:
    """Return the event of a document, as bytes.

    Raises
    ------
    Undecodable
        If the document is not that of an event, or contradicts itself.
    """
    try:
        found = _decode(document)
        payload = found.payload
        if found.phase == PAUSED if found.pending else found.phase in _ENDED:
            if payload is None and found.phase != SUCCEEDED:
                return found
            if payload is not None and found.phase == SUCCEEDED:
                plain = _PLAIN.get(found.expected_type or "")
                if type(payload) is plain and (plain is not int or payload in _INT64):
                    return found
                # JSON has no NaN, and readers of it round long integers.
                return replace(found, payload=payloads.fit(payload, found.expected_type, None))
        raise Undecodable
    except (TypeError, ValueError, RecursionError, PayloadTypeMismatch) as error:
        raise Undecodable from error


def is_due(event: Event, at: int) -> bool:
    """Return whether a pending event has expired at an instant in microseconds."""
    return event.pending and event.expires_at is not None and event.expires_at <= instant(at)


def text(column: object) -> str:
    """Return a column's text, readable even if it is damaged."""
    return column.decode("utf-8", "replace") if isinstance(column, bytes) else str(column)


def encode_event(event: Event) -> str:
    """Return the document of an event."""
    return _encode(replace(event, payload=payloads.for_json(event.payload))).decode()


def instant(microseconds: int) -> datetime:
    """Return the instant of a number of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(instant: datetime) -> int:
    """Return the number of microseconds from 1970 to an instant."""
    return (instant - _EPOCH) // _MICROSECOND


def now() -> int:
    """Return the current time as the store has it, in microseconds since 1970."""
    return time.time_ns() // 1000


def run_info(scope: Scope, name: object, created_at: object, pending: int) -> RunInfo:
    """Return the entry of a run in a listing, from the run's columns; raises as `event`."""
    if not isinstance(name, bytes) or not isinstance(created_at, int):
        raise Undecodable
    try:
        return RunInfo(
            run_name=name.decode(),
            org=scope.org,
            project=scope.project,
            domain=scope.domain,
            phase=None,
            created_at=instant(created_at),
            pending_events=pending,
        )
    except (ValueError, OverflowError) as error:
        raise Undecodable from error


def run_key(run: Run) -> tuple[str, str, str, str]:
    """Return a run's org, project, domain and name as stored in columns."""
    return (run.org or "", run.project or "", run.domain or "", run.name)


def scope_key(scope: Scope) -> tuple[str, str, str]:
    """Return a scope's org, project and domain as stored in columns."""
    return (scope.org or "", scope.project or "", scope.domain or "")


def find_run(db: sqlite3.Connection, run: Run) -> int | None:
    """Return the id of a run's row, None if no event of the run was ever created."""
    row = db.execute(
        "SELECT id FROM run WHERE org = ? AND project = ? AND domain = ? AND name = ?",
        run_key(run),
    ).fetchone()
    return None if row is None else int(row[0])


def run(db: sqlite3.Connection, run_id: int) -> Run | None:
    """Return the run of a row, None if the row is damaged."""
    try:
        row = db.execute("SELECT org, project, domain, name FROM run WHERE id = ?", (run_id,))
        org, project, domain, name = (column.decode() for column in row.fetchone())
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return None
    except (TypeError, AttributeError, UnicodeDecodeError):
        return None
    return Run(org or None, project or None, domain or None, name)
