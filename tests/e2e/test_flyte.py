"""A sidecar process on a healthy Flyte deployment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.e2e.conftest import OLD_AND_NEW, Connect
from tests.e2e.deployment import RUN, SCOPE, flyte_options, wait_until
from tests.e2e.process import by_id, kind, request
from tests.e2e.test_startup import HEAVY, REPORT_MODULES, not_under_coverage
from tests.fake_runservice.server import Server

EVENT = {"runName": RUN, "name": "deploy"}


def ask(server: Server, name: str = "deploy", *more: str, **popen_options: Any) -> str:
    return server.model.ask(RUN, name, *more, **SCOPE, **popen_options)


# What is loaded when.


def test_initialize_is_answered_without_grpc(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    told = tmp_path / "modules"
    sidecar = connect(server.endpoint, command=[sys.executable, "-c", REPORT_MODULES, str(told)])
    backend = sidecar.call("initialize", capabilities={})["backend"]
    assert backend == {
        "kind": "flyte",
        "endpoint": server.endpoint,
        "org": None,
        "project": "p",
        "domain": "d",
    }
    sidecar.end_input()
    assert sidecar.read_all() == []
    assert sidecar.status() == 0
    assert set(json.loads(told.read_text())) & (HEAVY | {"flyte_sidecar.event"}) == set()
    assert server.calls == {}


@not_under_coverage
def test_the_modules_for_flyte_are_loaded_with_the_first_request_for_it(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    ask(server)
    told = tmp_path / "modules"
    sidecar = connect(server.endpoint, command=[sys.executable, "-c", REPORT_MODULES, str(told)])
    sidecar.send(request(1, "events.get", **EVENT), request(0, "initialize", capabilities={}))
    assert [answer["id"] for answer in sidecar.answers(2)] == [0, 1]
    sidecar.end_input()
    assert sidecar.status() == 0
    loaded = set(json.loads(told.read_text()))
    needed = {"grpc", "google.protobuf", "flyteidl2"}
    assert loaded & (HEAVY | {"flyte_sidecar.event", "sqlite3"}) == needed


# The methods.


@OLD_AND_NEW
def test_events_are_listed_and_read(connect: Connect, server: Server) -> None:
    made = [ask(server, f"e{number}", action=f"c{number}") for number in range(5)]
    server.model.task(RUN, "train", action="b1", **SCOPE)
    ask(server, "int", "int", action="c9", parent="b1", prompt="How many?")
    sidecar = connect(server.endpoint)
    first = sidecar.call("events.list", runName=RUN, limit=4)
    rest = sidecar.call("events.list", runName=RUN, limit=4, cursor=first["nextCursor"])
    events = first["events"] + rest["events"]
    assert rest["nextCursor"] is None
    assert [event["actionName"] for event in events] == [*made, "c9"]
    assert {event["phase"] for event in events} == {"PAUSED"}
    narrowed = sidecar.call("events.list", runName=RUN, parent="b1", details=True)["events"]
    assert [event["prompt"] for event in narrowed] == ["How many?"]
    got = sidecar.call("events.get", runName=RUN, name="int")
    assert got == narrowed[0]
    assert (got["parent"], got["expectedType"], got["partial"]) == ("b1", "int", False)
    where = f"http://{server.endpoint}/v2/domain/d/project/p/runs/{RUN}?i={got['actionName']}"
    assert (got["project"], got["domain"], got["url"]) == ("p", "d", where)
    assert sidecar.call("events.get", runName=RUN, name="train") is None
    assert sidecar.call("events.get", runName="nowhere", name="int") is None


@OLD_AND_NEW
def test_a_signal_in_one_process_ends_the_wait_in_another(connect: Connect, server: Server) -> None:
    ask(server, "deploy", "float")
    waiter, other = connect(server.endpoint), connect(server.endpoint)
    waiter.request("w", "events.wait", **EVENT)
    wait_until(server.open_streams.total)
    signalled = other.call("events.signal", **EVENT, payload=3)
    for event in (signalled, waiter.answer()["result"], waiter.call("events.get", **EVENT)):
        assert (event["phase"], event["pending"]) == ("SUCCEEDED", False)
        assert isinstance(event["payload"], float)
        assert event["payload"] == 3.0
    other.request("again", "events.signal", **EVENT, payload=3.0)
    other.request("else", "events.signal", **EVENT, payload=4)
    assert by_id(other.answers(2)) == {"again": "result", "else": "already_signalled"}
    wait_until(lambda: not server.open_streams.total())


@OLD_AND_NEW
def test_a_wait_ends_by_its_own_sidecars_signal(connect: Connect, server: Server) -> None:
    ask(server)
    sidecar = connect(server.endpoint)
    sidecar.send(
        request("w", "events.wait", **EVENT),
        request("s", "events.signal", **EVENT, payload=True),
        request("g", "events.get", **EVENT),
    )
    found = sidecar.answers(3)
    assert by_id(found) == {"w": "result", "s": "result", "g": "result"}
    assert [one["result"]["payload"] for one in found] == [True] * 3


@OLD_AND_NEW
def test_an_abort_is_reported_and_keeps_its_first_reason(connect: Connect, server: Server) -> None:
    ask(server)
    waiter, other = connect(server.endpoint), connect(server.endpoint)
    waiter.request("w", "events.wait", **EVENT)
    wait_until(server.open_streams.total)
    aborted = other.call("events.abort", **EVENT, reason="too late")
    assert other.call("events.abort", **EVENT, reason="never mind") == aborted
    assert (aborted["phase"], aborted["abortReason"]) == ("ABORTED", "too late")
    assert waiter.answer()["result"]["abortReason"] == "too late"
    waiter.request("s", "events.signal", **EVENT, payload=True)
    assert kind(waiter.answer()) == "already_completed"


def test_only_runs_create_events(connect: Connect, server: Server) -> None:
    sidecar = connect(server.endpoint)
    sidecar.request(1, "events.create", **EVENT)
    answer = sidecar.answer()
    assert kind(answer) == "unsupported_by_backend"
    assert answer["error"]["data"]["retryable"] is False
    assert server.calls == {}


def test_the_status_reports_whether_the_deployment_responds(
    connect: Connect, server: Server
) -> None:
    sidecar = connect(server.endpoint)

    def healthy() -> bool:
        told = sidecar.call("sidecar.status")["backend"]
        assert (told["kind"], told["endpoint"]) == ("flyte", server.endpoint)
        assert (told["org"], told["project"], told["domain"]) == (None, "p", "d")
        return bool(told["healthy"])

    assert healthy()
    server.stop()
    assert not healthy()
    server.start()
    wait_until(healthy)


def test_a_payload_of_3_megabytes_is_sent_and_read_back(connect: Connect, server: Server) -> None:
    ask(server, "deploy", "str")
    text = "x\u00e9\n" * 1_000_000
    sidecar, other = connect(server.endpoint), connect(server.endpoint)
    other.request("w", "events.wait", **EVENT)
    wait_until(server.open_streams.total)
    assert sidecar.call("events.signal", **EVENT, payload=text)["payload"] == text
    assert sidecar.call("events.get", **EVENT)["payload"] == text
    assert other.answer()["result"]["payload"] == text


@OLD_AND_NEW
def test_a_thousand_pipelined_requests_are_answered_once_each(
    connect: Connect, server: Server
) -> None:
    count = 1000
    made = [ask(server, f"e{number}") for number in range(50)]
    sidecar = connect(server.endpoint)
    sidecar.send(
        *(request(n, "events.get", runName=RUN, name=f"e{n % 50}") for n in range(count)),
    )
    found = {answer["id"]: answer["result"]["actionName"] for answer in sidecar.answers(count)}
    assert found == {n: made[n % 50] for n in range(count)}
    sidecar.end_input()
    assert sidecar.read_all() == []
    assert sidecar.status() == 0


# The scope.


@pytest.mark.parametrize("method", ["get", "list", "signal", "wait", "abort"])
def test_a_request_without_project_is_refused_where_the_connection_has_none(
    connect: Connect, server: Server, method: str
) -> None:
    ask(server)
    sidecar = connect(server.endpoint, backend_options=flyte_options(server.endpoint))
    given: dict[str, Any] = {"runName": RUN} if method == "list" else {**EVENT}
    if method == "signal":
        given["payload"] = True
    for scope, missing in (
        ({}, "project"),
        ({"domain": "d"}, "project"),
        ({"project": "p"}, "domain"),
    ):
        sidecar.request(1, f"events.{method}", **given, **scope)
        answer = sidecar.answer()
        assert (kind(answer), answer["error"]["data"]["path"]) == ("invalid_params", f"/{missing}")
    assert server.calls == {}
    if method == "list":
        assert len(sidecar.call("events.list", **given, **SCOPE)["events"]) == 1
    elif method != "wait":
        assert sidecar.call(f"events.{method}", **given, **SCOPE)["name"] == "deploy"


# Refusals.


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"),
        (grpc.StatusCode.PERMISSION_DENIED, "permission_denied"),
    ],
)
def test_authentication_and_permission_errors_are_reported(
    connect: Connect, server: Server, code: grpc.StatusCode, told: str
) -> None:
    ask(server, action="c1")
    sidecar = connect(server.endpoint)
    target = {"runName": RUN, "actionName": "c1"}
    server.faults.errors = dict.fromkeys(["ListRuns", "ListActions"], (code, "not yours"))
    server.faults.errors["SignalEvent"] = (code, "not yours")
    server.faults.errors["AbortAction"] = (code, "not yours")
    sidecar.send(
        request("get", "events.get", **EVENT),
        request("list", "events.list", runName=RUN),
        request("signal", "events.signal", **target, payload=True),
        request("abort", "events.abort", **target),
        request("wait", "events.wait", **EVENT),
    )
    found = sidecar.answers(5)
    assert by_id(found) == dict.fromkeys(["get", "list", "signal", "abort", "wait"], told)
    for answer in found:
        data = answer["error"]["data"]
        assert (data["grpcStatus"], data["retryable"]) == (code.name, False)
        assert "not yours" in answer["error"]["message"]
    assert sidecar.call("sidecar.status")["backend"]["healthy"] is False
    server.faults.errors.clear()
    assert sidecar.call("events.get", **target)["phase"] == "PAUSED"


@pytest.mark.parametrize("release", ["2.0.42"])
def test_after_an_upgrade_no_method_contradicts_another(connect: Connect, server: Server) -> None:
    answered, pending = ask(server, "answered"), ask(server, "pending")
    server.model.signal_directly(RUN, answered, True, **SCOPE)
    server.upgrade("2.0.43")
    sidecar = connect(server.endpoint)
    for _ in range(2):
        listed = sidecar.call("events.list", runName=RUN)["events"]
        got = [
            sidecar.call("events.get", runName=RUN, actionName=one) for one in (answered, pending)
        ]
        for events in (listed, got):
            assert {event["name"]: event["phase"] for event in events} == {
                "answered": "SUCCEEDED",
                "pending": "PAUSED",
            }
        paused = sidecar.call("events.list", runName=RUN, phases=["PAUSED"])["events"]
        assert [event["name"] for event in paused] == ["pending"]
        waiting = sidecar.call("events.pending")["events"]
        assert [event["name"] for event in waiting] == ["pending"]
        (run,) = sidecar.call("runs.list", pendingOnly=True)["runs"]
        assert run["pendingEvents"] == 1
