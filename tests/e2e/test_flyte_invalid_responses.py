"""A sidecar process on a deployment that loses responses, or sends invalid ones."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from itertools import count, repeat
from pathlib import Path

import pytest
from flyteidl2.workflow.run_service_pb2 import (
    ListActionsResponse,
    ListRunsResponse,
    WatchActionsResponse,
)

from tests.e2e.conftest import Connect
from tests.e2e.deployment import RUN, SCOPE, scoped_options, wait_until, write_past_deadline
from tests.e2e.process import Process, by_id, kind
from tests.fake_runservice.hostile import (
    Response,
    compressed,
    endless,
    executed,
    held,
    meanwhile,
    respond,
    status,
)
from tests.fake_runservice.server import Server

TARGET = {"runName": RUN, "actionName": "c1"}
AWAY = status("UNAVAILABLE")


def peak(sidecar: Process) -> int:
    """Return the most memory that the process has used, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{sidecar.pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


@pytest.mark.parametrize("rejection", ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"])
def test_a_signal_that_was_lost_and_then_rejected_is_not_reported_as_rejected(
    connect: Connect, server: Server, rejection: str
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    server.hostile.script("SignalEvent", [executed(AWAY), status(rejection)])
    assert sidecar.call("events.signal", **TARGET, payload=True)["payload"] is True

    server.model.ask(RUN, "again", action="c2", **SCOPE)
    unread = meanwhile(
        lambda: server.hostile.script("GetActionDetails", repeat(status(rejection))),
        status(rejection),
    )
    server.hostile.script("SignalEvent", [executed(AWAY), unread])
    sidecar.request(1, "events.signal", runName=RUN, actionName="c2", payload=True)
    data = sidecar.answer()["error"]["data"]
    assert (data["kind"], data["retryable"]) == ("backend_unavailable", True)
    assert (data["outcome"], data["actionName"]) == ("unknown", "c2")


def test_a_rejection_after_a_lost_attempt_names_the_event_and_an_unknown_outcome(
    connect: Connect, server: Server
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    server.hostile.script("SignalEvent", [AWAY, status("PERMISSION_DENIED")])
    sidecar.request(1, "events.signal", runName=RUN, name="deploy", payload=True)
    data = sidecar.answer()["error"]["data"]
    assert data["kind"] == "permission_denied"
    assert (data["outcome"], data["actionName"]) == ("unknown", "c1")


@pytest.mark.parametrize("method", ["signal", "abort"])
def test_a_write_is_not_retried_after_its_deadline_was_reported(
    connect: Connect, server: Server, method: str
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    sidecar.call("events.get", **TARGET)
    rpc = "SignalEvent" if method == "signal" else "AbortAction"
    gate = threading.Event()
    server.hostile.script(rpc, [held(gate, AWAY)])
    payload = {"payload": False} if method == "signal" else {}
    data = write_past_deadline(sidecar, f"events.{method}", **TARGET, **payload)
    wait_until(lambda: server.hostile.calls[rpc])
    assert data["outcome"] == "unknown"
    gate.set()
    # A later request sees what the write did, so it waits for its end.
    assert sidecar.call("events.get", **TARGET)["pending"] is True
    assert server.calls[rpc] == 0


def test_garbage_is_an_error_of_the_backend_and_a_line_in_the_log(
    server: Server, store: Path
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = Process(store, backend_options=scoped_options(server.endpoint))
    try:
        server.hostile.script("GetActionDetails", repeat(respond(b"\x1f\x8b\x08" + bytes(99))))
        sidecar.request(1, "events.get", **TARGET)
        answer = sidecar.answer()
        assert (kind(answer), answer["error"]["data"]["retryable"]) == ("backend_error", True)
        server.hostile.clear()
        assert sidecar.call("events.get", **TARGET)["actionName"] == "c1"
        lines = sidecar.stderr_text().splitlines()
        assert lines
        assert all("the response to GetActionDetails" in line for line in lines)
    finally:
        sidecar.clear()


@pytest.mark.posix
@pytest.mark.parametrize("wrapped", [compressed, lambda plain: plain], ids=["gzip", "plain"])
def test_a_huge_response_costs_little_memory(
    connect: Connect, server: Server, wrapped: Callable[[Response], Response]
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    sidecar.call("events.get", **TARGET)
    before = peak(sidecar)
    server.hostile.script("GetActionDetails", repeat(wrapped(respond(bytes(100 << 20)))))
    sidecar.request(1, "events.get", **TARGET)
    assert kind(sidecar.answer()) == "backend_error"
    assert peak(sidecar) - before < 32 << 20
    server.hostile.clear()
    assert sidecar.call("events.get", **TARGET)["actionName"] == "c1"


@pytest.mark.posix
def test_listings_and_streams_that_never_end_are_errors(connect: Connect, server: Server) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = connect(server.endpoint)
    sidecar.call("events.get", **TARGET)
    before = peak(sidecar)
    tokens = (respond(ListActionsResponse(token=f"{n}").SerializeToString()) for n in count())
    server.hostile.script("ListActions", tokens)
    server.hostile.script(
        "ListRuns", repeat(respond(ListRunsResponse(token="1").SerializeToString()))
    )
    sidecar.request("actions", "events.list", runName=RUN)
    sidecar.request("runs", "runs.list")
    assert by_id(sidecar.answers(2)) == {"actions": "backend_error", "runs": "backend_error"}

    def news(number: int) -> bytes:
        message = WatchActionsResponse()
        for place in range(1000):
            message.enriched_actions.add().action.id.name = f"a{number}-{place}"
        return message.SerializeToString()

    server.hostile.script("WatchActions", repeat(endless(news)))
    sidecar.request("wait", "events.wait", **TARGET)
    answer = sidecar.answer()
    assert (answer["id"], kind(answer)) == ("wait", "backend_error")
    assert "the stream of run" in answer["error"]["message"]
    assert peak(sidecar) - before < 200 << 20
    server.hostile.clear()
    assert sidecar.call("events.get", **TARGET)["actionName"] == "c1"
