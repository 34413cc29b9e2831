"""Sidecars over a store in which one event is damaged."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.e2e.conftest import Spawn


@pytest.mark.parametrize("due", [False, True])
def test_a_damaged_event_affects_only_requests_for_it(spawn: Spawn, store: Path, due: bool) -> None:
    making = spawn()
    for name in ("one", "bad", "two"):
        making.call("events.create", runName="r", name=name, expiresInSeconds=3600)
    making.end_input()
    assert making.status() == 0
    db = sqlite3.connect(store)
    db.execute("UPDATE event SET document = substr(document, 1, 200) WHERE name = 'bad'")
    if due:
        db.execute("UPDATE event SET expires_at = 1 WHERE name = 'bad'")
    action = db.execute("SELECT action_name FROM event WHERE name = 'bad'").fetchone()[0]
    db.commit()
    db.close()
    sidecars = [spawn(), spawn()]
    for number, sidecar in enumerate(sidecars):
        for method, params in (
            ("events.list", {"runName": "r", "phases": ["PAUSED"]}),
            ("events.pending", {}),
        ):
            for _ in range(3):
                events = sidecar.call(method, **params)["events"]
                assert [event["name"] for event in events] == ["one", "two"]
        for method, more in (
            ("events.get", {}),
            ("events.signal", {"payload": True}),
            ("events.wait", {}),
            ("events.abort", {}),
        ):
            for target in ({"name": "bad"}, {"actionName": action}):
                sidecar.request(1, method, runName="r", **target, **more)
                error = sidecar.answer()["error"]
                assert error["data"] == {
                    "kind": "store_unavailable",
                    "retryable": False,
                    "reason": "io",
                    "outcome": "none",
                    "actionName": action,
                }
                assert action in error["message"]
        sidecar.call("events.create", runName="r", name=f"new{number}")
        event = sidecar.call("events.signal", runName="r", name=f"new{number}", payload=True)
        assert event["phase"] == "SUCCEEDED"
    sidecars[0].call("events.signal", runName="r", name="one", payload=True)
    event = sidecars[1].call("events.wait", runName="r", name="one")
    assert event["payload"] is True
    for sidecar in sidecars:
        sidecar.end_input()
        assert sidecar.status() == 0
    lines = sidecars[0].stderr_text().splitlines()
    assert len(lines) == len(sidecars)
    assert all(action in line and "Approve" not in line for line in lines)
