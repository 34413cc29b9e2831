"""Ages and other times, as tables and messages show them."""

from __future__ import annotations

from datetime import datetime

from flyte_sidecar.events.model import Event

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def age(event: Event, now: datetime) -> str:
    """Return for how long an event exists."""
    if event.created_at is None:
        return "?"
    return short_duration((now - event.created_at).total_seconds())


def expiry(event: Event, now: datetime) -> str:
    """Return when an event times out."""
    if event.expires_at is None:
        return "never"
    return f"in {short_duration((event.expires_at - now).total_seconds())}"


def short_duration(seconds: float) -> str:
    """Return a duration in its largest unit; 0 if it is negative because of clock skew."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "0s"
