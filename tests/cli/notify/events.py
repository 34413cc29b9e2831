"""Events and notices for tests of channels."""

from __future__ import annotations

from typing import Any

from flyte_sidecar.cli.notify.notice import Notice
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.model import PAUSED, Event


def waiting_event(name: str = "deploy", **more: Any) -> Event:
    members = {
        "action_name": f"action-{name}",
        "run_name": "r1",
        "org": None,
        "project": "local",
        "domain": "local",
        "parent": "a0",
        "group": None,
        "phase": PAUSED,
        "pending": True,
        "expected_type": "bool",
        "prompt": "Approve?",
        "prompt_type": "text",
        "description": None,
        "created_at": None,
        "ended_at": None,
        "expires_at": None,
        "payload": None,
        "signalled_by": None,
        "abort_reason": None,
        "url": None,
        "partial": False,
    }
    return Event(name=name, **{**members, **more})


def notice_of(event: Event, **more: Any) -> Notice:
    members = {"id": f"id-{event.name}", "reason": "waiting", **more}
    return Notice(name=("local:/events.db", event_key(event)), event=event, **members)
