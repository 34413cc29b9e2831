"""`approve`, `reject` and `abort` with `--all`: output and exit status."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from flyte_sidecar import Event
from flyte_sidecar.cli.bulk import performing, reporting
from tests.cli.answering.conftest import Backend, Deployment, Verb
from tests.cli.verbs import Environment, RunningVerb, Started, edit_events
from tests.e2e.deployment import wait_until
from tests.fake_runservice.hostile import held, served

HOSTILE = "na\x1b[2Jme\nx"


def phases(backend: Backend, verb: Verb) -> dict[str, Any]:
    """Return the phase and the payload of each event of the run r1."""
    done = verb("list", "r1", "--json", *backend.options)
    events = map(json.loads, done.out.splitlines())
    return {event["name"]: (event["phase"], event["payload"]) for event in events}


def test_all_bool_events_are_answered_and_the_others_left(verb: Verb, backend: Backend) -> None:
    for name, kind in (("one", "bool"), ("two", "bool"), ("rate", "float")):
        backend.ask(name, kind)
    done = verb("approve", "--all", "--yes", *backend.options)
    assert done.status == 0
    assert sorted(line.partition(" at ")[0].partition(" by ")[0] for line in done.lines) == [
        "one of run r1 was approved",
        "two of run r1 was approved",
    ]
    table, first, second, note, summary = done.err.splitlines()
    assert table.startswith("RUN")
    assert sorted(row.split()[1] for row in (first, second)) == ["one", "two"]
    assert note == "flyte-sidecar: not included: 1 event of another type than bool"
    assert summary == "flyte-sidecar: 2 approved"
    nothing = verb("reject", "--all", "--yes", *backend.options)
    assert (nothing.status, nothing.out) == (0, "")
    assert nothing.err.splitlines() == ["flyte-sidecar: no events to reject", note]
    assert phases(backend, verb)["rate"][0] == "PAUSED"


def test_only_the_events_that_match_are_aborted(verb: Verb, backend: Backend) -> None:
    for name in ("deploy-1", "deploy-2", "Deploy-3", "rate"):
        backend.ask(name, "int")
    chosen = ("--run", "r?", "--name", "deploy-*")
    for options in (("--run", "s*"), ("--older-than", "1h")):
        assert verb("abort", "--all", "--yes", *chosen[2:], *options, *backend.options).out == ""
    done = verb("abort", "--all", "--yes", *chosen, "--reason", HOSTILE, "--json", *backend.options)
    assert done.status == 0
    results = sorted(map(json.loads, done.lines), key=lambda result: str(result["name"]))
    assert [(result["runName"], result["name"]) for result in results] == [
        ("r1", "deploy-1"),
        ("r1", "deploy-2"),
    ]
    assert {result["event"]["abortReason"] for result in results} == {HOSTILE}
    assert all(result["actionName"] == result["event"]["actionName"] for result in results)
    assert {result["error"] for result in results} == {None}
    waiting = {name for name, (phase, _) in phases(backend, verb).items() if phase == "PAUSED"}
    assert waiting == {"Deploy-3", "rate"}


def test_a_dry_run_lists_the_events_on_stdout(verb: Verb, local: Backend) -> None:
    for name in ("one", "na\u202eme"):
        local.ask(name, prompt="A long\nprompt " + "x" * 500, description="More.")
    local.ask("rate", "float")
    done = verb("reject", "--all", "--dry-run")
    assert done.status == 0
    assert len(done.lines) == 3
    assert r"na\u202eme" in done.lines[2]
    assert done.err.splitlines() == [
        "flyte-sidecar: would reject 2 events; nothing was changed",
        "flyte-sidecar: not included: 1 event of another type than bool",
    ]
    done = verb("reject", "--all", "--dry-run", "--json")
    assert [json.loads(line)["description"] for line in done.lines] == ["More."] * 2
    assert {phase for phase, _ in phases(local, verb).values()} == {"PAUSED"}


def test_thousands_of_events_are_changed_in_several_steps(
    verb: Verb, local: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performing, "MAX_EVENTS", 2)
    monkeypatch.setattr(reporting, "SHOWN", 3)
    for number in range(5):
        local.ask(f"n{number}")
    done = verb("approve", "--all", "--yes")
    assert len(done.lines) == 5
    *_, third, more, summary = done.err.splitlines()
    assert third.split()[1] == "n2"
    assert more == "... and 2 more events; --dry-run lists all"
    assert summary == "flyte-sidecar: 5 approved"


def test_an_event_of_unknown_type_is_left_if_it_is_no_bool(
    verb: Verb, local: Backend, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.ask("rate", "float")
    listed = performing.chosen_events

    async def with_types_meanwhile(*arguments: Any, **options: Any) -> Any:
        chosen = await listed(*arguments, **options)
        edit_events(store, expectedType="float")
        return chosen

    edit_events(store, expectedType=None)  # as an old deployment lists it
    monkeypatch.setattr(performing, "chosen_events", with_types_meanwhile)
    done = verb("approve", "--all", "--yes")
    assert done.status == 0
    assert done.lines[0].startswith("rate of run r1 was left: payload_type_mismatch: ")
    assert done.err.splitlines()[-1] == "flyte-sidecar: 1 left"


def test_a_failure_of_one_is_reported_and_summarized(verb: Verb, deployment: Deployment) -> None:
    for name in ("one", "two", "three"):
        deployment.ask(name)
    deployment.server.faults.errors = {
        "SignalEvent": (grpc.StatusCode.PERMISSION_DENIED, "you may\x1b[2J not")
    }
    done = verb("approve", "--all", "--yes", *deployment.options)
    assert done.status == 1
    assert all(" was not approved: permission_denied: " in line for line in done.lines)
    *_, summary, kind = done.err.splitlines()
    assert summary == "flyte-sidecar: 3 failed"
    assert kind.startswith("  permission_denied (3): ")
    assert r"you may\x1b[2J not" in kind


def test_a_backend_that_cannot_be_read_fails_the_command(
    verb: Verb, local: Backend, deployment: Deployment
) -> None:
    local.ask("here")
    deployment.server.close()
    done = verb("approve", "--all", "--yes", *deployment.options, "--backend", "all")
    assert done.status == 1
    assert done.lines[0].startswith("here of run r1 was approved")
    assert "the events of the deployment are missing" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all", "r1"], "--all cannot be combined with RUN"),
        (["--all", "--action", "x"], "--all cannot be combined with --action"),
        (["r1", "deploy", "--yes"], "--yes requires --all"),
        (["r1", "deploy", "--name", "x"], "--name requires --all"),
        (["r1", "deploy", "--older-than", "1h"], "--older-than requires --all"),
        (["--run", "r1"], "--run requires --all"),
        ([], "either RUN or --all is required"),
        (["--all", "--older-than", "5"], "'5' is not a duration"),
        (["--all"], "--yes (or --dry-run) is required without a terminal"),
    ],
)
@pytest.mark.parametrize("name", ["approve", "abort"])
def test_arguments_that_contradict_each_other_are_usage_errors(
    verb: Verb,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(performing, "can_ask", lambda: False)
    done = verb(name, *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


@pytest.mark.posix
def test_ctrl_c_reports_what_was_done_and_leaves_the_rest(
    env: Environment, deployment: Deployment, started: Started
) -> None:
    for number in range(40):
        deployment.ask(f"n{number}")
    release = threading.Event()
    held_once = [served(), *(held(release, served()) for _ in range(2))]
    deployment.server.hostile.script("SignalEvent", held_once)
    verb = RunningVerb(env, "approve", "--all", "--yes", *deployment.options)
    started.append(verb)
    wait_until(lambda: deployment.server.hostile.calls["SignalEvent"] == 3)
    assert " was approved" in verb.line()
    verb.popen.send_signal(signal.SIGINT)
    assert verb.popen.stderr is not None
    while b"waiting for the outcome" not in verb.popen.stderr.readline():
        pass
    release.set()
    status, errors = verb.rest()
    assert status == -signal.SIGINT
    assert errors == "flyte-sidecar: 3 approved, 37 not tried\n"


@pytest.mark.posix
def test_a_second_ctrl_c_reports_what_is_unknown(
    env: Environment, deployment: Deployment, started: Started
) -> None:
    for name in ("one", "two"):
        deployment.ask(name)
    release = threading.Event()
    deployment.server.hostile.script("SignalEvent", [held(release, served())])
    verb = RunningVerb(env, "approve", "--all", "--yes", *deployment.options)
    started.append(verb)
    try:
        wait_until(lambda: deployment.server.hostile.calls["SignalEvent"] == 1)
        verb.popen.send_signal(signal.SIGINT)
        assert verb.popen.stderr is not None
        while b"waiting for the outcome" not in verb.popen.stderr.readline():
            pass
        verb.popen.send_signal(signal.SIGINT)
        line = verb.line()
        assert line.startswith("It is unknown whether ")
        assert line.endswith(" was approved: request_cancelled: interrupted by Ctrl-C")
        status, errors = verb.rest()
    finally:
        release.set()
    assert status == -signal.SIGINT
    assert errors.splitlines()[0] == "flyte-sidecar: 1 unknown, 1 not tried"


def test_nothing_more_is_changed_when_nobody_reads_the_results(
    env: Environment, local: Backend, started: Started
) -> None:
    for number in range(30):
        local.ask(f"n{number}")
    unread, stdout = os.pipe()
    os.close(unread)
    verb = RunningVerb(env, "abort", "--all", "--yes", stdout=stdout)
    os.close(stdout)
    started.append(verb)
    status, errors = verb.rest()
    assert status == 1
    assert "not tried" in errors
    assert {event.phase for event in Event.listall(run_name="r1")} == {"ABORTED", "PAUSED"}
