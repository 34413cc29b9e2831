"""Conditions of local runs, answered from other processes."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.events.model import Target
from flyte_sidecar.local_runs.run_store import LOCAL
from tests.e2e.process import Process
from tests.local_runs.conftest import NEWEST, OLDEST, Inbox, Start, of_releases

NAMES = ["bool", "int", "float", "str", "twice", "twice", "aborted"]


@of_releases(OLDEST, "2.5.0", "2.9.0", NEWEST)
@pytest.mark.timeout(600)  # the first test installs the SDK
def test_every_condition_of_a_run_is_answered_by_another_process(
    release: str, start: Start, inbox: Inbox
) -> None:
    run = start(*(() if release in ("2.9.0", NEWEST) else ("--init",)), "everything")
    inbox.wait_for(*NAMES, "expires")
    found = inbox.wait_for(*NAMES)  # "expires" has expired

    deploy, count = found["bool"], found["int"]
    assert (deploy["project"], deploy["domain"], deploy["org"]) == ("local", "local", None)
    assert (deploy["prompt"], deploy["promptType"]) == ("Deploy?", "text")
    assert (deploy["description"], count["description"]) == ("To production.", None)
    assert (count["prompt"], count["promptType"]) == ("**How many?**", "markdown")
    assert deploy["group"] == "questions"
    assert [found[name]["expectedType"] for name in NAMES[:4]] == NAMES[:4]
    created, expires = map(datetime.fromisoformat, (deploy["createdAt"], deploy["expiresAt"]))
    assert expires - created == timedelta(hours=1)
    assert count["expiresAt"] is None
    assert {event["runName"] for event in found.values()} == {deploy["runName"]}
    assert len({event["parent"] for event in found.values()}) == 1

    twice = [event for event in inbox.events.values() if event["name"] == "twice"]
    assert twice[0]["actionName"] != twice[1]["actionName"]
    for event in twice:
        inbox.answer(event, event["actionName"])
    inbox.answer(deploy, True)
    inbox.answer(count, str(2**63 - 1))
    inbox.answer(found["float"], 3)
    inbox.answer(found["str"], "naïve\u2028 🚀")
    key = {name: found["aborted"][name] for name in ("runName", "actionName")}
    inbox.sidecar.request("abort", "events.abort", **key, reason="not today")

    child = inbox.wait_for("child")["child"]
    assert child["parent"] != deploy["parent"]
    inbox.answer(child, -7)
    status, stdout, stderr = run.end()
    assert status == 0, stderr
    second = max(twice, key=lambda event: event["actionName"])["actionName"]
    assert f"flyte answer --action {second} {deploy['runName']} twice VALUE" in stderr
    *answers, expired, aborted, last = json.loads(stdout.rpartition("RESULT")[2])
    assert answers[:4] == [True, 2**63 - 1, 3.0, "naïve\u2028 🚀"]
    assert type(answers[2]) is float
    assert answers[4:] == [event["actionName"] for event in twice]
    noun = "Event" if release == OLDEST else "Condition"
    assert expired == [
        f"{noun}TimedoutError",
        f"{noun} 'expires' was not signaled within 0.5 seconds.",
    ]
    assert aborted[0] == "ActionAbortedError"
    assert "not today" in aborted[1]
    assert last == -7
    inbox.wait_for()


def test_fifty_conditions_get_the_answers_of_three_processes_in_any_order(
    start: Start, inbox: Inbox, spawn: Callable[..., Process]
) -> None:
    run = start("fifty")
    found = inbox.wait_for(*(f"c{number}" for number in range(50)))
    events = list(found.values())
    random.shuffle(events)
    others = [spawn() for _ in range(3)]
    for position, event in enumerate(events):
        key = {name: event[name] for name in ("runName", "name")}
        payload = int(event["name"][1:]) * 1000
        others[position % 3].request(position, "events.signal", **key, payload=payload)
    assert [answer for answer, _ in run.result()] == [number * 1000 for number in range(50)]


def test_a_script_waits_for_a_condition_before_its_run_creates_it(
    start: Start, spawn: Callable[..., Process], inbox: Inbox
) -> None:
    run = start("texts")
    first = inbox.wait_for("first")["first"]
    script = spawn()
    key = {"runName": first["runName"], "name": "second"}
    script.request("second", "events.wait", **key, awaitCreation=True)
    script.wait_for_counter("waits", 1)
    inbox.answer(first, "a")
    inbox.answer(inbox.wait_for("second")["second"], "b")
    response = script.answer()
    assert (response["id"], response["result"]["payload"]) == ("second", "b")
    assert run.result() == ["a", "b"]


def test_a_run_without_a_terminal_says_what_waits_and_who_answered(
    start: Start, inbox: Inbox
) -> None:
    run = start("one")
    event = inbox.wait_for("approve")["approve"]
    inbox.answer(event, False)
    status, stdout, stderr = run.end()
    assert (status, stdout) == (0, "RESULT false\n")
    waiting, answered = stderr.splitlines()
    for part in ("'approve'", "bool", "Deploy?", f"flyte answer {event['runName']} approve"):
        assert part in waiting
    assert f"approve of run {event['runName']} was rejected by " in answered


def test_two_runs_of_a_process_with_the_same_names_get_their_own_answers(
    start: Start, inbox: Inbox
) -> None:
    run = start("twins")
    inbox.wait_for("approve", "approve")
    first, second = inbox.events.values()
    inbox.answer(first, True)
    inbox.wait_for("approve")
    assert run.popen.stdout is not None
    assert run.popen.stdout.readline().endswith(" true\n")  # the task of one run has ended
    inbox.answer(second, False)
    status, stdout, stderr = run.end()
    assert status == 0, stderr
    assert stdout.endswith(" false\n")


def test_an_event_that_another_clock_has_expired_too_early_is_replaced(
    start: Start, inbox: Inbox, store: Path
) -> None:
    run = start("patient")
    found = inbox.wait_for("approve")["approve"]

    async def expire() -> None:
        backend = LocalBackend(store)
        event = await resolve(backend.find(Target(LOCAL.run(found["runName"]), name="approve")))
        assert event is not None
        await backend.time_out(event)
        await backend.close()

    asyncio.run(expire())
    inbox.wait_for()
    replacement = inbox.wait_for("approve")["approve"]
    assert replacement["actionName"] == f"{found['actionName']}-2"
    inbox.answer(replacement, True)
    assert run.result() is True


def test_the_event_loop_of_the_run_continues_during_a_wait(start: Start, inbox: Inbox) -> None:
    run = start("beats")
    event = inbox.wait_for("approve")["approve"]
    assert run.popen.stderr is not None
    assert "BEAT\n" in run.popen.stderr
    inbox.answer(event, True)
    assert run.result() is True
