"""Events to rows and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import json

from sidecar.events.model import PAUSED, Event, Payload, Run, Target

COLUMNS = (
    "e.name, e.action_name, r.name, nullif(r.org, ''), r.project, r.domain, e.parent,"
    ' e."group", e.phase, e.expected_type, e.prompt, e.prompt_type, e.description,'
    " e.created_at, e.ended_at, e.expires_at, e.payload, e.signalled_by, e.abort_reason"
)
FROM = "FROM event e JOIN run r ON r.id = e.run"
OF_RUN = "r.org = ? AND r.project = ? AND r.domain = ? AND r.name = ?"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decode = json.Decoder(Payload).decode
_encode = json.encode


def event(row: tuple[Any, ...]) -> Event:
    """Give the event of a row of `COLUMNS`."""
    phase = row[8]
    created, ended, expires, payload = row[13:17]
    return Event(
        name=row[0],
        action_name=row[1],
        run_name=row[2],
        org=row[3],
        project=row[4],
        domain=row[5],
        parent=row[6],
        group=row[7],
        phase=phase,
        pending=phase == PAUSED,
        expected_type=row[9],
        prompt=row[10],
        prompt_type=row[11],
        description=row[12],
        created_at=instant(created),
        ended_at=None if ended is None else instant(ended),
        expires_at=None if expires is None else instant(expires),
        payload=None if payload is None else from_text(payload, row[9]),
        signalled_by=row[17],
        abort_reason=row[18],
        url=None,
        partial=False,
    )


Key = tuple[str | None, ...]


def event_key(event: Event) -> Key:
    """Give what tells the event from all others."""
    return (event.run_name, event.action_name, event.org, event.project, event.domain)


def key(row: tuple[Any, ...]) -> Key:
    """Give the `event_key` of a row of `COLUMNS`, without making the event."""
    return (row[2], row[1], row[3], row[4], row[5])


def instant(microseconds: int) -> datetime:
    """Give the instant so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_text(payload: Payload) -> str:
    """Give the payload as the store keeps it: JSON text, or a float's name that JSON lacks."""
    if isinstance(payload, float):
        return repr(payload)
    return _encode(payload).decode()


def from_text(text: str, expected_type: str) -> Payload:
    """Give the payload back from what `to_text` made of it."""
    return float(text) if expected_type == "float" else _decode(text)


def run_key(run: Run) -> tuple[str, str, str, str]:
    """Give the parameters of `OF_RUN`."""
    return (run.org or "", run.project or "", run.domain or "", run.name)


def where(target: Target) -> tuple[str, list[str]]:
    """Give the condition that a target stands for, and its parameters."""
    condition, parameters = OF_RUN, list(run_key(target.run))
    for column, value in (
        ("e.action_name", target.action_name),
        ("e.name", target.name),
        ("e.parent", target.parent),
    ):
        if value is not None:
            condition += f" AND {column} = ?"
            parameters.append(value)
    return condition, parameters
