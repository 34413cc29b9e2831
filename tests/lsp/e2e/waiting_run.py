"""A run that waits for the answer to an event."""

from __future__ import annotations

from typing import Any

from tests.e2e.process import Process


class WaitingRun:
    """A wait in its own sidecar process, as a run of the embedded store has it."""

    def __init__(self, process: Process, run: str, action: str) -> None:
        self._process = process
        self._target = {"runName": run, "actionName": action}
        process.request("wait", "events.wait", **self._target)
        assert self.pending()

    def answer(self) -> Any:
        """Return the answer, once the wait has ended."""
        response = self._process.answer()
        assert response["id"] == "wait", response
        return response["result"]["payload"]

    def pending(self) -> bool:
        """Return whether the run still waits."""
        return bool(self._process.call("events.get", **self._target)["pending"])

    def signal(self, payload: Any) -> None:
        """Answer the event from another program than the editor."""
        self._process.request("signal", "events.signal", **self._target, payload=payload)
        responses = {response["id"]: response for response in self._process.answers(2)}
        assert responses["signal"]["result"]["payload"] == payload
