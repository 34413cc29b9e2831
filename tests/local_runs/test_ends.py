"""The ends of waits, tasks and processes, after which no event is pending."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.local_runs.conftest import Inbox, Start


def test_events_end_with_the_wait_and_with_the_task(start: Start, inbox: Inbox) -> None:
    run = start("abandoned")
    found = inbox.wait_for("cancelled", "left", "go")
    inbox.answer(found["go"], True)
    assert run.result() == [True, False]
    inbox.wait_for()
    run_name = found["go"]["runName"]
    ended: dict[str, Any] = {}
    inbox.sidecar.request("list", "events.list", runName=run_name)
    while not ended:
        message = inbox.sidecar.answer()
        if message.get("id") == "list":
            ended = {event["name"]: event for event in message["result"]["events"]}
    assert ended["go"]["phase"] == "SUCCEEDED"
    assert ended["cancelled"]["phase"] == ended["left"]["phase"] == "ABORTED"
    assert ended["cancelled"]["abortReason"] != ended["left"]["abortReason"]


@pytest.mark.posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL", "SIGTERM"])
def test_events_end_with_their_process(name: str, start: Start, inbox: Inbox) -> None:
    run = start("one")
    inbox.wait_for("approve")
    run.popen.send_signal(signal.Signals[name])
    status, _, stderr = run.end()
    assert status != 0
    inbox.wait_for()
    assert inbox.ended["phase"] == "ABORTED"
    if name == "SIGINT":
        assert inbox.ended["abortReason"] == "the process of the run ended"
        for noise in ("ActionAborted", "was destroyed", "Failed to reset context"):
            assert noise not in stderr
