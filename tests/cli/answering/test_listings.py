"""The verbs that show and create events, and `wait`."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta

import pytest

from flyte_sidecar import Event
from tests.cli.answering.conftest import Backend, Deployment, Done, Verb
from tests.cli.verbs import cells_of
from tests.e2e.deployment import SCOPE, wait_until


def rows(done: Done) -> list[dict[str, str]]:
    """Return the rows of a table; cells that are empty are missing from `cells_of`."""
    header, *lines = done.out.splitlines()
    starts = [header.index(title) for title in header.split()]
    ends = [*starts[1:], None]
    titles = header.split()
    return [
        {t: line[a:b].strip() for t, a, b in zip(titles, starts, ends, strict=True)}
        for line in lines
    ]


def facts(done: Done) -> dict[str, str]:
    lines = done.out.split("\n\n")[0].splitlines()
    return dict(cells_of(line) for line in lines)


def test_the_events_of_a_run_are_listed_with_their_answers(verb: Verb, backend: Backend) -> None:
    options = backend.options
    done = verb("list", "r1", *options)
    assert (done.status, done.out, done.err) == (0, "", "No events of run r1.\n")
    for name, expected_type in (("deploy", "bool"), ("note", "str"), ("late", "int"), ("x", "int")):
        backend.ask(name, expected_type, prompt="What\x1b[2J now?\nTell.")
    verb("approve", "r1", "deploy", *options)
    verb("signal", "r1", "note", 'a\n"b"', *options)
    verb("abort", "r1", "late", "--reason", "too late", *options)
    done = verb("list", "r1", *options)
    assert (done.status, done.err) == (0, "")
    listed = {row["NAME"]: row for row in rows(done)}
    by_name = {name: (row["TYPE"], row["PHASE"], row["ANSWER"]) for name, row in listed.items()}
    assert by_name == {
        "deploy": ("bool", "SUCCEEDED", "true"),
        "note": ("str", "SUCCEEDED", r'"a\n\"b\""'),
        "late": ("int", "ABORTED", "too late"),
        "x": ("int", "PAUSED", ""),
    }
    assert listed["x"]["PROMPT"] == r"What\x1b[2J now? Tell."
    lines = verb("list", "r1", "--json", *options).out.splitlines()
    assert [json.loads(line)["name"] for line in lines] == [*by_name]
    signalled_by = json.loads(lines[0])["signalledBy"]
    assert listed["deploy"]["BY"] == (signalled_by or "")


def test_all_pages_of_a_run_are_listed(verb: Verb, local: Backend) -> None:
    for number in range(120):
        local.ask(f"n{number}")
    assert [row["NAME"] for row in rows(verb("list", "r1"))] == [f"n{n}" for n in range(120)]


def test_an_event_is_shown_with_all_its_facts(verb: Verb, backend: Backend) -> None:
    event_id = backend.ask(
        "rate", "float", prompt="Which\x1b[2J rate?\nname  forged", description="Of 1.", group="g"
    )
    done = verb("get", "r1", "rate", *backend.options)
    assert (done.status, done.err) == (0, "")
    shown = facts(done)
    assert (shown["name"], shown["action"], shown["group"]) == ("rate", event_id, "g")
    assert (shown["type"], shown["phase"]) == ("float", "PAUSED")
    assert "answer" not in shown
    quote = ["│ Which\\x1b[2J rate?", "│ name  forged", "│", "│ Of 1."]
    assert done.out.splitlines()[-5:] == ["", *quote]
    verb("signal", "r1", "rate", "nan", *backend.options)
    assert facts(verb("get", "r1", "rate", *backend.options))["answer"] == "NaN"


def test_one_event_is_shown_in_json(verb: Verb, backend: Backend) -> None:
    event_id = backend.ask("deploy")
    shown = verb("get", "r1", "--action", event_id, "--json", *backend.options)
    assert shown.json["name"] == "deploy"
    assert shown.json == json.loads(verb("list", "r1", "--json", *backend.options).out)


def test_runs_are_listed(verb: Verb, backend: Backend) -> None:
    assert verb("runs", *backend.options)[1:] == ("", "No runs.\n")
    for name in ("a", "b"):
        backend.ask(name)
    [row] = rows(verb("runs", *backend.options))
    assert (row["RUN"], row["WAITING"]) == ("r1", "2")
    [line] = verb("runs", "--json", *backend.options).out.splitlines()
    assert (json.loads(line)["runName"], json.loads(line)["pendingEvents"]) == ("r1", 2)
    for name in ("a", "b"):
        verb("approve", "r1", name, *backend.options)
    [row] = rows(verb("runs", *backend.options))
    assert row["WAITING"] == "0"
    done = verb("runs", "--pending", *backend.options)
    assert (done.out, done.err) == ("", "No runs with pending events.\n")


def test_runs_of_a_backend_that_cannot_be_read_are_reported_as_missing(
    verb: Verb, local: Backend, deployment: Deployment
) -> None:
    local.ask("deploy")
    deployment.server.stop()
    done = verb("runs", *deployment.options, "--backend", "all")
    assert (done.status, [row["RUN"] for row in rows(done)]) == (0, ["r1"])
    assert done.err.startswith("flyte-sidecar: the runs of the deployment are missing: backend_un")


def test_an_event_is_created(verb: Verb, local: Backend) -> None:
    done = verb("create", "r1", "deploy")
    assert (done.status, done.err) == (
        0,
        "deploy of run r1 waits for yes or no (or true or false).\n",
    )
    event_id = done.out.strip()
    assert verb("get", "r1", "deploy", "--json").json["actionName"] == event_id
    options = {
        "--type": "int",
        "--prompt": "How **many**?",
        "--description": "Or none",
        "--expires": "1h",
        "--parent": "a1",
        "--group": "-g",
    }
    arguments = [f"{option}={value}" for option, value in options.items()]
    created = verb("create", "r1", "many", "--markdown", "--json", *arguments).json
    assert (created["expectedType"], created["promptType"]) == ("int", "markdown")
    assert (created["prompt"], created["description"]) == ("How **many**?", "Or none")
    assert (created["parent"], created["group"]) == ("a1", "-g")
    created_at, expires_at = map(
        datetime.fromisoformat, map(created.get, ("createdAt", "expiresAt"))
    )
    assert expires_at - created_at == timedelta(hours=1)


def test_an_event_that_exists_is_not_created_again(verb: Verb) -> None:
    verb("create", "r1", "deploy")
    again = verb("create", "r1", "deploy")
    assert (again.status, again.out) == (1, "")
    advice = "choose another name or run"
    shown = "event_exists: deploy of run r1 already exists"
    assert again.err == f"{shown} (waits for an answer): {advice}\n"
    verb("abort", "r1", "deploy")
    assert verb("create", "r1", "deploy").err == f"{shown} (aborted): {advice}\n"


def test_a_deployment_creates_no_events(verb: Verb, deployment: Deployment) -> None:
    done = verb("create", "r1", "deploy", *deployment.options)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("unsupported_by_backend: ")


def test_wait_prints_an_answer_that_comes_later(verb: Verb, local: Backend) -> None:
    def ask_and_answer() -> None:
        local.ask("rate", "float")
        Event.get("rate", run_name="r1").signal(0.5)

    other = threading.Timer(0.01, ask_and_answer)
    other.start()
    done = verb("wait", "r1", "rate", "--await-creation", "--timeout", "60s", "--json")
    other.join()
    assert (done.status, done.json["payload"]) == (0, 0.5)
    assert done.err.startswith("rate of run r1 was answered with 0.5")


def test_wait_prints_an_answer_that_comes_later_to_a_deployment(
    verb: Verb, deployment: Deployment
) -> None:
    server = deployment.server
    action = deployment.ask("rate", "float")

    def answer() -> None:
        wait_until(server.open_streams.total)
        server.model.signal_directly("r1", action, 0.5, **SCOPE)

    other = threading.Thread(target=answer)
    other.start()
    done = verb("wait", "r1", "rate", *deployment.options)
    other.join()
    assert (done.status, done.out) == (0, "0.5\n")
    assert done.err.startswith("rate of run r1 was answered with 0.5")


@pytest.mark.parametrize("more", [[], ["--await-creation"]])
def test_wait_ends_by_its_timeout(verb: Verb, backend: Backend, more: list[str]) -> None:
    if not more:
        backend.ask("deploy")
    done = verb("wait", "r1", "deploy", "--timeout", "0.01s", *more, *backend.options)
    assert (done.status, done.out) == (124, "")
    assert done.err == "deadline_exceeded: deploy of run r1 was not answered within the timeout\n"


def test_wait_fails_if_the_event_times_out(verb: Verb, local: Backend) -> None:
    local.ask("deploy", expires_in=0.01)
    done = verb("wait", "r1", "deploy", "--json")
    assert (done.status, done.json["phase"]) == (1, "TIMED_OUT")
    assert done.err.startswith("deploy of run r1 timed out at ")


def test_wait_requires_one_event(verb: Verb, local: Backend) -> None:
    ids = [local.ask("deploy", parent=parent) for parent in ("a1", "a2")]
    for more in ([], ["--await-creation"]):
        done = verb("wait", "r1", "deploy", *more)
        assert (done.status, done.out) == (1, "")
        assert [line.split()[1] for line in done.err.splitlines()[1:]] == ids
