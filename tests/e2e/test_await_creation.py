"""Waits for events that do not exist yet, in a process and over the wire."""

from __future__ import annotations

from tests.e2e.conftest import Spawn
from tests.e2e.process import by_id, kind, request

EVENT = {"runName": "r", "name": "n"}
AWAIT = {**EVENT, "awaitCreation": True}


def test_a_wait_ends_for_an_event_that_another_process_creates(spawn: Spawn) -> None:
    sidecar, other = spawn(), spawn()
    sidecar.request(1, "events.wait", **AWAIT)
    sidecar.wait_for_counter("waits", 1)
    other.call("events.create", **EVENT, expectedType="int")
    answered = other.call("events.signal", **EVENT, payload=5)
    assert sidecar.answer() == {"jsonrpc": "2.0", "id": 1, "result": answered}


def test_a_wait_ends_for_an_event_that_a_later_request_creates(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.send(
        request(1, "events.wait", **AWAIT),
        request(2, "events.create", **EVENT),
        request(3, "events.signal", **EVENT, payload=True),
    )
    answers = {answer["id"]: answer["result"] for answer in sidecar.answers(3)}
    assert answers[1] == answers[3]


def test_null_and_false_do_not_await_a_creation(spawn: Spawn) -> None:
    sidecar = spawn()
    for request_id, await_creation in enumerate((None, False)):
        sidecar.request(request_id, "events.wait", **EVENT, awaitCreation=await_creation)
        assert kind(sidecar.answer()) == "event_not_found"


def test_a_wait_for_a_creation_ends_at_its_deadline_or_when_it_is_cancelled(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.request(1, "events.wait", **AWAIT, timeoutSeconds=0.01)
    assert kind(sidecar.answer()) == "deadline_exceeded"
    sidecar.request(2, "events.wait", **AWAIT)
    sidecar.wait_for_counter("waits", 1)
    sidecar.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 2}})
    assert kind(sidecar.answer()) == "request_cancelled"
    sidecar.wait_for_counter("waits", 0)


def test_shutdown_ends_a_wait_for_a_creation(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.send(request(1, "events.wait", **AWAIT, timeoutSeconds=1e6), request(2, "shutdown"))
    assert by_id(sidecar.answers(2)) == {1: "shutting_down", 2: "result"}
    sidecar.send({"jsonrpc": "2.0", "method": "exit"})
    assert sidecar.read_all() == []
    assert sidecar.status() == 0


def test_a_timed_wait_for_a_creation_continues_after_the_end_of_input(spawn: Spawn) -> None:
    sidecar, other = spawn(), spawn()
    sidecar.send(
        request(1, "events.wait", **AWAIT, timeoutSeconds=1e6),
        request(2, "events.wait", **AWAIT),
        request(3, "events.wait", **{**AWAIT, "name": "never"}, timeoutSeconds=0.05),
    )
    sidecar.end_input()
    assert by_id(sidecar.answers(2)) == {2: "shutting_down", 3: "deadline_exceeded"}
    other.call("events.create", **EVENT)
    other.call("events.signal", **EVENT, payload=True)
    (last,) = sidecar.read_all()
    assert (last["id"], last["result"]["payload"]) == (1, True)
    assert sidecar.status() == 0
