"""Events for tests that need no backend."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flyte_sidecar.events.model import Event
from tests.contract.harness import RUN

DAY = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def make_event(name: str, *, second: int = 0, **members: Any) -> Event:
    """Return a pending event of the run `RUN`, created `second` seconds after noon of `DAY`."""
    default: dict[str, Any] = {
        "name": name,
        "action_name": f"e-{name}",
        "run_name": RUN.name,
        "org": RUN.org,
        "project": RUN.project,
        "domain": RUN.domain,
        "parent": "a0",
        "group": None,
        "phase": "PAUSED",
        "pending": True,
        "expected_type": "bool",
        "prompt": "Approve?",
        "prompt_type": "text",
        "description": None,
        "created_at": DAY.replace(second=second),
        "ended_at": None,
        "expires_at": None,
        "payload": None,
        "signalled_by": None,
        "abort_reason": None,
        "url": None,
        "partial": False,
    }
    return Event(**{**default, **members})
