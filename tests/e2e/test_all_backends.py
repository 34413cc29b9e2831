"""Sidecar processes on both backends: the embedded store, and a deployment that comes and goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run
from tests.doctor_report import read_report
from tests.e2e.conftest import Spawn
from tests.e2e.deployment import RUN, SCOPE, ServerProcess, scoped_options
from tests.e2e.process import Process
from tests.e2e.test_startup import HEAVY, REPORT_MODULES, not_under_coverage
from tests.fake_runservice.server import Server


def options(store: Path, endpoint: str) -> tuple[str, ...]:
    scoped = scoped_options(endpoint)
    assert scoped[:2] == ("--backend", "flyte")
    return ("--backend", "all", "--store", str(store), *scoped[2:])


class Inbox:
    """A watch of all pending events, and the responses that arrive meanwhile."""

    def __init__(self, sidecar: Process) -> None:
        self.seen: list[str] = []
        self.notifications: list[Any] = []
        self._sidecar = sidecar
        self._calls = 0
        sidecar.request("watch", "events.watch", watch="w")

    def call(self, method: str, **params: Any) -> Any:
        self._calls += 1
        self._sidecar.request(self._calls, method, **params)
        return self._until(lambda message: message.get("id") == self._calls)["result"]

    def until(self, word: str) -> Any:
        """Receive until a notification that is described so, and return its params."""
        if word in self.seen:
            return self.notifications[self.seen.index(word)]
        return self._until(lambda _: word in self.seen)["params"]

    def _until(self, condition: Callable[[Any], bool]) -> Any:
        while True:
            message = self._sidecar.answer()
            if "method" in message:
                params = message["params"]
                self.notifications.append(params)
                assert params["sequence"] == len(self.notifications)
                what = message["method"].removeprefix("events.")
                detail = params.get("backend")
                if what == "changed":
                    what, detail = params["change"], params["event"]["name"]
                self.seen.append(f"{what} {detail}" if detail else what)
            if condition(message):
                return message


@pytest.mark.posix
def test_the_events_of_the_store_are_served_whatever_happens_to_the_deployment(
    spawn: Spawn, store: Path, server_process: ServerProcess
) -> None:
    server_process.create_event("remote", "c1")
    sidecar = spawn(backend_options=options(store, server_process.endpoint))
    assert sidecar.call("initialize", capabilities={})["backend"] == {
        "kind": "all",
        "endpoint": server_process.endpoint,
        "org": None,
        "project": "p",
        "domain": "d",
    }
    event = sidecar.call("events.create", runName="here", name="local")
    assert (event["project"], event["domain"]) == ("local", "local")
    inbox = Inbox(sidecar)
    lost = inbox.until("disconnected flyte")
    assert (lost["error"]["data"]["kind"], lost["error"]["data"]["retryable"]) == (
        "backend_unavailable",
        True,
    )
    inbox.until("synced")
    assert set(inbox.seen) == {"created local", "disconnected flyte", "synced"}
    listed = inbox.call("events.pending")
    assert (listed["events"], listed["nextCursor"]) == ([event], None)
    assert [each["backend"] for each in listed["unavailable"]] == ["flyte"]
    assert listed["unavailable"][0]["error"]["data"]["kind"] == "backend_unavailable"
    assert not inbox.call("sidecar.status")["backend"]["healthy"]

    server_process.start()
    inbox.until("created remote")
    inbox.until("resynced flyte")
    listed = inbox.call("events.pending")
    assert {each["name"] for each in listed["events"]} == {"local", "remote"}
    assert listed["unavailable"] == []
    assert [each["project"] for each in inbox.call("runs.list")["runs"]].count("p") == 1
    assert inbox.call("sidecar.status")["backend"]["healthy"]
    remote = inbox.call("events.signal", runName=RUN, name="remote", payload=True)
    assert {name: remote[name] for name in SCOPE} == SCOPE
    inbox.until("resolved remote")
    assert inbox.call("events.get", runName=RUN, project="local", actionName="c1") is None

    server_process.kill()
    inbox.call("events.signal", runName="here", name="local", payload=True)
    inbox.until("resolved local")
    sidecar.end_input()
    assert sidecar.read_all()[-1] == {
        "jsonrpc": "2.0",
        "id": "watch",
        "result": {"reason": "shutdown"},
    }
    assert sidecar.status() == 0


@not_under_coverage
def test_requests_that_the_store_answers_load_nothing_for_the_deployment(
    spawn: Spawn, store: Path, server: Server, tmp_path: Path
) -> None:
    told = tmp_path / "modules"
    sidecar = spawn(
        command=[sys.executable, "-c", REPORT_MODULES, str(told)],
        backend_options=options(store, server.endpoint),
    )
    sidecar.call("initialize", capabilities={})
    sidecar.call("events.create", runName="here", name="local")
    assert sidecar.call("events.get", runName="here", name="local")["pending"]
    assert sidecar.call("events.get", runName="there", name="q", project="local") is None
    sidecar.end_input()
    assert sidecar.status() == 0
    assert set(json.loads(told.read_text())) & HEAVY == set()
    assert server.calls == {}


@pytest.mark.posix
def test_the_command_reports_which_backend_is_unavailable(
    store: Path, command: dict[str, str], server_process: ServerProcess
) -> None:
    chosen = options(store, server_process.endpoint)
    call = ("call", "events.create", '{"runName": "here", "name": "local"}')
    assert run("flyte-sidecar", *chosen, *call, env=command).returncode == 0
    pending = run("flyte-sidecar", *chosen, "pending", env=command)
    assert pending.returncode == 0
    assert [line.split()[:2] for line in pending.stdout.splitlines()[1:]] == [["here", "local"]]
    assert (
        "flyte-sidecar: the events of the deployment are missing: backend_unavailable"
        in pending.stderr
    )
    doctor = run("flyte-sidecar", *chosen, "doctor", env=command)
    checks = read_report(doctor.stdout)
    assert checks["backend"].detail == "all (option --backend)"
    assert checks["store"].detail.startswith(f"{store} (FLYTE_SIDECAR_STORE): 1 event waits, ")
    assert checks["connection"].status == "FAILED"
    assert checks["scope"].detail == "org none, project p, domain d (not checked)"
    assert doctor.returncode == 1
