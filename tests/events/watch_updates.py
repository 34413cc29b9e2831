"""States of events, for the tests of watches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from flyte_sidecar.errors import BackendUnavailable
from flyte_sidecar.events.coalescing import CoalescingQueue, Synced, WatchUpdate
from flyte_sidecar.events.model import PAUSED, SUCCEEDED, Event, Payload, Scope
from flyte_sidecar.events.watch_feed import WatchSelector

SCOPE = Scope(None, "local", "local")
RUN = WatchSelector(scope=SCOPE, run_name="r1")
INBOX = WatchSelector(scope=SCOPE)
DOWN = BackendUnavailable("down")
AGAIN = Synced(again=True)


def event(name: str = "q", **members: Any) -> Event:
    defaults: dict[str, Any] = {
        "name": name,
        "action_name": f"e-{name}",
        "run_name": "r1",
        "org": None,
        "project": "local",
        "domain": "local",
        "parent": "a0",
        "group": None,
        "phase": PAUSED,
        "pending": True,
        "expected_type": None,
        "prompt": "Approve?",
        "prompt_type": "text",
        "description": None,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "ended_at": None,
        "expires_at": None,
        "payload": None,
        "signalled_by": None,
        "abort_reason": None,
        "url": None,
        "partial": False,
    }
    return Event(**{**defaults, **members})


def answered(event: Event, payload: Payload | None = True) -> Event:
    return replace(event, phase=SUCCEEDED, pending=False, payload=payload)


def take_all(watch: CoalescingQueue) -> list[WatchUpdate]:
    """Take all available updates."""
    notes: list[WatchUpdate] = []
    while (note := watch.take()) is not None:
        notes.append(note)
    return notes


def synced(watched: WatchSelector, *events: Event) -> CoalescingQueue:
    """Return a watch whose client has take_all all current events."""
    watch = CoalescingQueue(watched)
    for state in events:
        watch.put(state)
    watch.sync()
    take_all(watch)
    return watch
