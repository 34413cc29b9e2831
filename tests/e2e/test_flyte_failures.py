"""A sidecar process on a Flyte deployment that dies, hangs, loses replies or is slow."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import OLD_AND_NEW, Connect
from tests.e2e.deployment import RUN, SCOPE, ServerProcess, wait_until, write_past_deadline
from tests.e2e.process import Process, by_id, kind, request
from tests.fake_runservice.server import Server

EVENT = {"runName": RUN, "name": "deploy"}
TARGET = {"runName": RUN, "actionName": "c1"}


def cancel(request_id: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": request_id}}


def waiting(connect: Connect, server_process: ServerProcess, **more: Any) -> Process:
    """Start a sidecar with one wait that has reached the deployment."""
    server_process.create_event("deploy", "c1")
    server_process.start()
    sidecar = connect(server_process.endpoint)
    sidecar.request("w", "events.wait", **EVENT, **more)
    wait_until(server_process.open_streams)
    return sidecar


# A deployment that is killed.


@pytest.mark.posix
@OLD_AND_NEW
def test_a_wait_survives_a_restart_of_the_deployment(
    connect: Connect, server_process: ServerProcess
) -> None:
    waiter = waiting(connect, server_process)
    server_process.kill()
    waiter.request("g", "events.get", **EVENT)
    assert kind(waiter.answer()) == "backend_unavailable"
    server_process.start()
    other = connect(server_process.endpoint)
    assert other.call("events.signal", **EVENT, payload=True)["payload"] is True
    answer = waiter.answer()
    assert (answer["id"], answer["result"]["payload"]) == ("w", True)
    waiter.end_input()
    assert waiter.read_all() == []
    assert waiter.status() == 0


@pytest.mark.posix
def test_requests_succeed_after_the_deployment_is_back(
    connect: Connect, server_process: ServerProcess
) -> None:
    server_process.create_event("deploy", "c1")
    server_process.start()
    sidecar = connect(server_process.endpoint)
    assert sidecar.call("events.get", **EVENT)["actionName"] == "c1"
    server_process.kill()
    # What has not reached the deployment is sent again, and finds it back.
    sidecar.send(*(request(n, "events.get", **EVENT) for n in range(20)))
    server_process.start()
    assert set(by_id(sidecar.answers(20)).values()) <= {"result", "backend_unavailable"}
    wait_until(lambda: sidecar.call("sidecar.status")["backend"]["healthy"])
    assert sidecar.call("events.get", **EVENT)["actionName"] == "c1"


@pytest.mark.posix
def test_a_wait_on_a_dead_deployment_ends_by_its_timeout(
    connect: Connect, server_process: ServerProcess
) -> None:
    sidecar = waiting(connect, server_process, timeoutSeconds=1.0)
    server_process.kill()
    answer = sidecar.answer()
    assert (answer["id"], kind(answer)) == ("w", "deadline_exceeded")
    assert "outcome" not in answer["error"]["data"]


@pytest.mark.posix
def test_a_wait_on_a_dead_deployment_ends_by_a_cancellation(
    connect: Connect, server_process: ServerProcess
) -> None:
    sidecar = waiting(connect, server_process)
    server_process.kill()
    sidecar.send(cancel("w"))
    answer = sidecar.answer()
    assert (answer["id"], kind(answer)) == ("w", "request_cancelled")
    sidecar.end_input()
    assert sidecar.read_all() == []
    assert sidecar.status() == 0


@pytest.mark.posix
@pytest.mark.parametrize(
    "end",
    [
        Process.end_input,
        lambda sidecar: sidecar.popen.send_signal(signal.SIGTERM),
        lambda sidecar: sidecar.send(
            request("s", "shutdown"), {"jsonrpc": "2.0", "method": "exit"}
        ),
    ],
    ids=["input", "SIGTERM", "shutdown"],
)
@pytest.mark.parametrize("killed", [True, False])
def test_a_wait_ends_with_the_sidecar(
    connect: Connect, server_process: ServerProcess, end: Callable[[Process], None], killed: bool
) -> None:
    sidecar = waiting(connect, server_process)
    if killed:
        server_process.kill()
    end(sidecar)
    found = by_id(sidecar.read_all())
    assert found.pop("s", "result") == "result"
    assert found == {"w": "shutting_down"}
    assert sidecar.status() == 0


@pytest.mark.posix
def test_a_deployment_that_hangs_delays_no_other_request(
    connect: Connect, server_process: ServerProcess
) -> None:
    sidecar = waiting(connect, server_process)
    server_process.send(signal.SIGSTOP)
    sidecar.send(
        request("late", "events.get", **EVENT, timeoutSeconds=0.1),
        request("cancelled", "events.list", runName=RUN),
        cancel("cancelled"),
        request("refused", "events.get"),
    )
    assert by_id(sidecar.answers(3)) == {
        "late": "deadline_exceeded",
        "cancelled": "request_cancelled",
        "refused": "invalid_params",
    }
    server_process.send(signal.SIGCONT)
    sidecar.request("s", "events.signal", **EVENT, payload=True)
    assert by_id(sidecar.answers(2)) == {"s": "result", "w": "result"}


# Writes that break off.


@OLD_AND_NEW
def test_a_signal_whose_reply_was_lost_is_applied_once_and_succeeds(
    connect: Connect, server: Server
) -> None:
    server.model.ask(RUN, "deploy", "int", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    server.faults.unavailable_after["SignalEvent"] = 2
    assert sidecar.call("events.signal", **EVENT, payload=7)["payload"] == 7
    sent = [sent_request for method, sent_request, _ in server.requests if method == "SignalEvent"]
    assert [sent_request.action_id.name for sent_request in sent] == ["c1"] * 3
    assert server.model.action(RUN, "c1", **SCOPE).payload == 7
    sidecar.request(1, "events.signal", **EVENT, payload=8)
    answer = sidecar.answer()
    assert kind(answer) == "already_signalled"
    assert answer["error"]["data"]["event"]["payload"] == 7


@OLD_AND_NEW
def test_a_signal_whose_responses_are_all_lost_succeeds(connect: Connect, server: Server) -> None:
    server.model.ask(RUN, "deploy", "int", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    server.faults.unavailable_after["SignalEvent"] = 1000
    event = sidecar.call("events.signal", **EVENT, payload=7)
    assert (event["phase"], event["payload"]) == ("SUCCEEDED", 7)


def test_an_abort_whose_reply_was_lost_is_applied_once_and_succeeds(
    connect: Connect, server: Server
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    server.faults.unavailable_after["AbortAction"] = 1
    assert sidecar.call("events.abort", **EVENT, reason="no")["abortReason"] == "no"
    assert server.calls["AbortAction"] == 1


@pytest.mark.parametrize("method", ["signal", "abort"])
def test_a_write_to_a_dead_deployment_did_not_happen(
    connect: Connect, server: Server, method: str
) -> None:
    server.stop()
    sidecar = connect(server.endpoint)
    payload = {"payload": True} if method == "signal" else {}
    sidecar.send(
        request("name", f"events.{method}", **EVENT, **payload),
        request("id", f"events.{method}", **TARGET, **payload),
        request("get", "events.get", **EVENT),
    )
    for answer in sidecar.answers(3):
        assert kind(answer) == "backend_unavailable"
        data = answer["error"]["data"]
        assert (data["retryable"], data["grpcStatus"]) == (True, "UNAVAILABLE")
        assert server.endpoint in answer["error"]["message"]
        if answer["id"] != "get":
            assert (data["outcome"], data["actionName"]) == ("none", None)
        else:
            assert "outcome" not in data


@pytest.mark.parametrize("method", ["signal", "abort"])
def test_a_write_whose_deployment_dies_may_have_happened(
    connect: Connect, server: Server, method: str
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    rpc = "SignalEvent" if method == "signal" else "AbortAction"
    server.faults.delay[rpc] = 1000
    sidecar = connect(server.endpoint)
    payload = {"payload": True} if method == "signal" else {}
    sidecar.request(1, f"events.{method}", **EVENT, **payload)
    wait_until(lambda: server.calls[rpc])
    server.stop()
    answer = sidecar.answer()
    data = answer["error"]["data"]
    assert (kind(answer), data["retryable"]) == ("backend_unavailable", True)
    assert (data["outcome"], data["actionName"]) == ("unknown", "c1")
    server.faults.delay.clear()
    server.start()
    wait_until(lambda: sidecar.call("sidecar.status")["backend"]["healthy"])
    assert sidecar.call(f"events.{method}", **TARGET, **payload)["pending"] is False


# A deployment that is slow.


def test_a_timeout_reports_the_outcome_of_a_write(connect: Connect, server: Server) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    server.faults.delay = {"ListActions": 1000}
    sidecar.request("read", "events.get", **EVENT, timeoutSeconds=0.1)
    assert "outcome" not in refused(sidecar, "read", "deadline_exceeded")
    sidecar.request("unsent", "events.signal", **EVENT, payload=True, timeoutSeconds=0.1)
    data = refused(sidecar, "unsent", "deadline_exceeded")
    assert (data["outcome"], data["actionName"]) == ("none", None)
    assert server.calls["SignalEvent"] == 0
    server.faults.delay = {"SignalEvent": 1000}
    data = write_past_deadline(sidecar, "events.signal", **EVENT, payload=True)
    wait_until(lambda: server.calls["SignalEvent"])
    assert (data["outcome"], data["actionName"]) == ("unknown", "c1")


def test_the_result_of_a_sent_signal_is_reported_although_it_was_cancelled(
    connect: Connect, server: Server
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    server.faults.delay["SignalEvent"] = 1.0
    sidecar = connect(server.endpoint)
    sidecar.request("s", "events.signal", **EVENT, payload=True)
    wait_until(lambda: server.calls["SignalEvent"])
    sidecar.send(cancel("s"))
    answer = sidecar.answer()
    assert (answer["id"], answer["result"]["payload"]) == ("s", True)
    assert server.calls["SignalEvent"] == 1


def test_a_write_that_was_not_sent_is_cancelled(connect: Connect, server: Server) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    server.faults.delay = {"ListActions": 1000, "GetActionDetails": 1000}
    sidecar = connect(server.endpoint)
    sidecar.request("s", "events.signal", **EVENT, payload=True)
    wait_until(lambda: server.calls["ListActions"])
    sidecar.send(cancel("s"))
    data = refused(sidecar, "s", "request_cancelled")
    assert (data["outcome"], data["actionName"]) == ("none", None)
    assert server.calls["SignalEvent"] == 0


def test_pending_requests_are_answered_at_the_end_of_input(
    connect: Connect, server: Server
) -> None:
    count = 40
    for number in range(count):
        server.model.ask(RUN, f"e{number}", action=f"c{number}", **SCOPE)
    server.faults.delay = {"GetActionDetails": 0.2, "SignalEvent": 0.2}
    sidecar = connect(server.endpoint)
    for number in range(count):
        named = {"runName": RUN, "name": f"e{number}"}
        sidecar.request(f"s{number}", "events.signal", **named, payload=True)
        sidecar.request(f"g{number}", "events.get", **named)
    sidecar.request("l", "events.list", runName=RUN, details=True)
    sidecar.end_input()
    found = sidecar.read_all()
    assert set(by_id(found).values()) == {"result"}
    assert len(found) == 2 * count + 1
    assert {answer["result"]["payload"] for answer in found if answer["id"] != "l"} == {True}
    assert sidecar.status() == 0


def refused(sidecar: Process, request_id: str, reason: str) -> dict[str, Any]:
    """Return the data of the next response, which is an error of the kind."""
    answer = sidecar.answer()
    assert (answer["id"], kind(answer)) == (request_id, reason)
    data: dict[str, Any] = answer["error"]["data"]
    return data
