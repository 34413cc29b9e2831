"""A client that watches, and checks the order of its notifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.process import Process, kind


class Notifications:
    """The notifications of a watch; one out of order fails."""

    def __init__(self) -> None:
        self.events: dict[str, Any] = {}
        self.changes: list[tuple[str, str]] = []
        self.sequence = 0
        self.synced = False
        self._waiting: dict[str, str] = {}

    def receive(self, method: str, params: Any) -> None:
        self.sequence += 1
        assert params["sequence"] == self.sequence
        if method == "events.synced":
            assert not self.synced
            self.synced = True
            return
        assert method == "events.changed"
        event = params["event"]
        previous = self.events.get(event["actionName"])
        if previous is None:
            assert params["change"] == "created"
        else:
            resolved = previous["pending"] and not event["pending"]
            assert params["change"] == ("resolved" if resolved else "updated")
            assert previous["pending"] or not event["pending"]
        self.events[event["actionName"]] = event
        self._waiting.pop(event["actionName"], None)
        if event["pending"]:
            self._waiting[event["actionName"]] = event["name"]
        self.changes.append((params["change"], event["name"]))

    def named(self) -> dict[str, Any]:
        return {event["name"]: event for event in self.events.values()}

    def pending(self) -> set[str]:
        """Return the names of the pending events."""
        return set(self._waiting.values())


class Watcher:
    """A client that sorts notifications by watch; none may follow the response of its watch."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._open: dict[str, Notifications] = {}
        self._names: dict[Any, str] = {}
        self._answers: dict[Any, Any] = {}

    def watch(self, request_id: Any, name: str = "w", **params: Any) -> Notifications:
        watched = self.expect(request_id, name)
        self.process.request(request_id, "events.watch", watch=name, **params)
        return watched

    def expect(self, request_id: Any, name: str = "w") -> Notifications:
        """Expect the notifications of a watch whose request is sent otherwise."""
        self._names[request_id] = name
        self._open[name] = watched = Notifications()
        return watched

    def take(self, message: Any) -> None:
        if "method" in message:
            assert "id" not in message
            self._open[message["params"]["watch"]].receive(message["method"], message["params"])
            return
        request_id = message["id"]
        assert request_id not in self._answers
        if request_id in self._names:
            del self._open[self._names.pop(request_id)]
        self._answers[request_id] = message

    def receive_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.take(self.process.answer())

    def until_pending(self, watched: Notifications, names: set[str]) -> None:
        """Receive until the watch is synced and exactly these events are pending."""
        self.receive_until(lambda: watched.synced and watched.pending() == names)

    def wait_for_output(self) -> None:
        """Wait until something is written, and read one byte."""
        self.process._buffer += self.process.read(1)

    def answer(self, request_id: Any) -> Any:
        self.receive_until(lambda: request_id in self._answers)
        return self._answers.pop(request_id)

    def call(self, method: str, **params: Any) -> Any:
        self.process.request("call", method, **params)
        answer = self.answer("call")
        assert "result" in answer, answer
        return answer["result"]

    def counters(self) -> tuple[int, int]:
        """Return the numbers of open waits and watches."""
        counters = self.call("sidecar.status")["counters"]
        assert counters["inFlight"] >= counters["waits"] + counters["watches"]
        return counters["waits"], counters["watches"]

    def read_all(self) -> dict[Any, Any]:
        """Receive everything up to the end of the output, and return the responses."""
        for message in self.process.read_all():
            self.take(message)
        return self._answers


def create(name: str, run: str = "r", **more: Any) -> dict[str, Any]:
    return {"runName": run, "name": name, **more}


def reason(answer: Any) -> str:
    """Return why a watch ended, or the kind of its error."""
    if "error" in answer:
        return kind(answer)
    assert answer["result"].keys() == {"reason"}
    found: str = answer["result"]["reason"]
    return found
