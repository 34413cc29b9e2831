"""Events to rows and back.

An event is kept as the JSON document that goes over the wire: one column is read and decoded
in half the time that as many columns as an event has members would take.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import cache

from msgspec import json
from msgspec.structs import replace

from sidecar.events import payload as payloads
from sidecar.events.model import Event, Run, Target

FROM = "FROM event e JOIN run r ON r.id = e.run"
OF_RUN = "r.org = ? AND r.project = ? AND r.domain = ? AND r.name = ?"

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
    """Give the parameters of `OF_RUN`."""
    return (run.org or "", run.project or "", run.domain or "", run.name)


def run_of(event: Event) -> Run:
    """Give the run that an event belongs to."""
    return Run(event.org, event.project, event.domain, event.run_name)


def parameters(target: Target) -> list[str]:
    """Give the parameters of `condition(target)`."""
    words = (target.action_name, target.name, target.parent)
    return [*run_key(target.run), *(word for word in words if word is not None)]


def condition(target: Target) -> str:
    """Give the SQL condition that a target stands for."""
    return _condition(
        target.action_name is not None, target.name is not None, target.parent is not None
    )


@cache
def _condition(by_action_name: bool, by_name: bool, by_parent: bool) -> str:
    parts = [OF_RUN]
    parts += ["e.action_name = ?"] if by_action_name else []
    parts += ["e.name = ?"] if by_name else []
    parts += ["e.parent = ?"] if by_parent else []
    return " AND ".join(parts)
