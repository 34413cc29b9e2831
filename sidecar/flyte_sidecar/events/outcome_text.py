"""How an event ended, as a person reads it."""

from __future__ import annotations

from datetime import datetime

from msgspec import json

from flyte_sidecar.events.model import ABORTED, SUCCEEDED, TIMED_OUT, Event, Payload
from flyte_sidecar.events.payloads import for_json
from flyte_sidecar.events.plain_text import MAX_NAME_LENGTH, one_line

MAX_TEXT_LENGTH = 300
"""Characters of reasons and error messages."""


def title(event: Event) -> str:
    """Return the event and its run."""
    return f"{one_line(event.name)} of run {one_line(event.run_name)}"


def outcome(event: Event, *, earlier: bool = False) -> str:
    """Return how an event has ended; `earlier` if something else was expected."""
    already = "already " if earlier else ""
    if event.phase == SUCCEEDED:
        answer = f"{answered(event.payload)}{_by(event)}"
        return f"{title(event)} was {already}{answer}{_at(event.ended_at)}."
    if event.phase == ABORTED:
        return f"{title(event)} was {already}aborted{_at(event.ended_at)}{_reason(event)}."
    if event.phase == TIMED_OUT:
        return f"{title(event)} {already}timed out{_at(event.ended_at)}."
    return f"{title(event)} has {already}ended{_at(event.ended_at)}: {one_line(event.phase)}."


def short_outcome(event: Event) -> str:
    """Return how an event has ended, in a few words, for a table."""
    if event.phase == SUCCEEDED:
        return f"{answered(event.payload)}{_by(event)}"
    if event.phase == ABORTED:
        return f"aborted{_reason(event)}"
    return "timed out" if event.phase == TIMED_OUT else f"ended: {one_line(event.phase)}"


def answered(payload: Payload | None) -> str:
    """Return the answer of an event as a participle."""
    if payload is None:
        return "answered"
    if isinstance(payload, bool):
        return "approved" if payload else "rejected"
    return f"answered with {value(payload)}"


def value(payload: Payload) -> str:
    """Return a payload on one line: a number as digits, a string in quotes."""
    if isinstance(payload, str):
        return one_line(json.encode(payload).decode(errors="replace"), MAX_NAME_LENGTH)
    shown = for_json(payload)  # non-finite floats and large ints as strings
    return shown if isinstance(shown, str) else json.encode(shown).decode()


def _by(event: Event) -> str:
    return f" by {one_line(event.signalled_by)}" if event.signalled_by else ""


def _reason(event: Event) -> str:
    reason = one_line(event.abort_reason or "", MAX_TEXT_LENGTH)
    return f": {reason}" if reason else ""


def _at(instant: datetime | None) -> str:
    return "" if instant is None else f" at {instant.astimezone():%Y-%m-%d %H:%M}"
