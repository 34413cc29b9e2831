"""The verbs that answer or end an event: output and exit status, on each backend."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from flyte_sidecar import Event
from flyte_sidecar.events.backend import CANDIDATES
from tests.cli.answering.conftest import Backend, Deployment, Verb
from tests.cli.verbs import edit_events
from tests.e2e.deployment import flyte_options


@pytest.mark.parametrize(
    ("expected_type", "value", "printed"),
    [
        ("bool", "Yes", "true"),
        ("bool", "false", "false"),
        ("int", "-7", "-7"),
        ("int", "9223372036854775807", "9223372036854775807"),
        ("float", "-1e-3", "-0.001"),
        ("float", "3", "3.0"),
        ("float", "-inf", "-Infinity"),
        ("str", "größer als 3 ", "größer als 3 "),
        ("str", "42", "42"),
        ("str", "", ""),
    ],
)
def test_stdout_gets_the_value_and_stderr_the_outcome(
    verb: Verb, local: Backend, expected_type: str, value: str, printed: str
) -> None:
    local.ask("n", expected_type)
    done = verb("signal", "r1", "n", value)
    assert (done.status, done.out) == (0, f"{printed}\n")
    assert done.err.startswith("n of run r1 was ")
    assert done.err.count("\n") == 1
    again = verb("wait", "r1", "n")
    assert (again.status, again.out, again.err) == (0, done.out, done.err)


def test_a_value_that_begins_with_a_dash_is_a_number_or_follows_dashes(
    verb: Verb, local: Backend
) -> None:
    local.ask("note", "str")
    done = verb("signal", "r1", "note", "--nothing")
    assert (done.status, "unknown option '--nothing'" in done.err) == (2, True)
    assert verb("signal", "r1", "note", "--", "--nothing").out == "--nothing\n"


def test_an_event_is_answered_by_its_name_or_its_id(verb: Verb, backend: Backend) -> None:
    first, second = (backend.ask("deploy", parent=parent, prompt=p) for parent, p in PLACES)
    done = verb("approve", "r1", "deploy", *backend.options)
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines() == [
        "ambiguous_event: several events deploy of run r1 wait for an answer:"
        " choose one with --action ID",
        f"  --action {first:{len(second)}}  Deploy to eu?",
        f"  --action {second:{len(first)}}  Deploy to us?",
    ]
    done = verb("signal", "r1", "--action", second, "no", "--json", *backend.options)
    assert (done.status, done.json["actionName"], done.json["payload"]) == (0, second, False)
    done = verb(*backend.options, "approve", "r1", "deploy")
    assert (done.status, done.out) == (0, "true\n")
    assert verb("get", "r1", "--action", first, "--json", *backend.options).json["payload"] is True


PLACES = (("b1", "Deploy to eu?"), ("b2", "Deploy to us?"))


def test_the_first_answer_is_reported(verb: Verb, backend: Backend) -> None:
    backend.ask("deploy")
    done = verb("reject", "r1", "deploy", *backend.options)
    assert (done.status, done.out) == (0, "false\n")
    earlier = done.err.replace(" was rejected", " was already rejected")
    again = verb("signal", "r1", "deploy", "no", *backend.options)
    assert (again.status, again.out, again.err) == (0, "false\n", earlier)
    for arguments in (("approve",), ("abort",), ("signal", "maybe"), ("signal",)):
        name, *value = arguments
        done = verb(name, "r1", "deploy", *value, *backend.options)
        assert (done.status, done.out) == (1, "")
        assert done.err == f"already_signalled: Nothing was changed: {earlier}"


def test_an_event_is_aborted(verb: Verb, backend: Backend) -> None:
    backend.ask("deploy")
    done = verb("abort", "r1", "deploy", "--reason", "no\x1b[2J time", *backend.options)
    assert (done.status, done.out) == (0, "")
    assert done.err.startswith("deploy of run r1 was aborted at ")
    assert done.err.endswith(": no\\x1b[2J time.\n")
    waited = verb("wait", "r1", "deploy", *backend.options)
    assert (waited.status, waited.out, waited.err) == (1, "", done.err)
    again = verb("abort", "r1", "deploy", "--json", *backend.options)
    assert (again.status, again.json["phase"]) == (0, "ABORTED")
    assert again.err.startswith("deploy of run r1 was already aborted at ")
    refused = verb("approve", "r1", "deploy", *backend.options)
    assert refused.status == 1
    assert refused.err == f"already_completed: Nothing was changed: {again.err}"


def test_an_answer_of_another_type_is_refused(verb: Verb, backend: Backend) -> None:
    backend.ask("rate", "float")
    done = verb("signal", "r1", "rate", "high\x1b[2J", *backend.options)
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        r"payload_type_mismatch: 'high\x1b[2J' is not a float: rate of run r1 expects a number"
        " such as 0.5 (or nan, inf, -inf)\n"
    )
    done = verb("approve", "r1", "rate", *backend.options)
    assert done.err.startswith("payload_type_mismatch: rate of run r1 expects a number such as")
    assert done.status == 1
    assert verb("get", "r1", "rate", "--json", *backend.options).json["pending"]


def test_an_event_of_unknown_type_is_answered_in_json(
    verb: Verb, local: Backend, store: Any
) -> None:
    for name in ("a", "b"):
        local.ask(name)
    edit_events(store, expectedType=None)
    assert verb("approve", "r1", "a").out == "true\n"
    done = verb("signal", "r1", "b", "yes")
    assert done.status == 1
    assert "b of run r1 expects a value of unknown type, as JSON" in done.err
    assert verb("signal", "r1", "b", "true").out == "true\n"


def test_an_event_that_does_not_exist_is_an_error(verb: Verb, backend: Backend) -> None:
    backend.ask("deploy")
    for name in ("signal", "approve", "reject", "abort", "wait", "get"):
        done = verb(name, "r1", "\x1b[2Jno", *backend.options)
        assert (done.status, done.out) == (1, "")
        assert done.err == "event_not_found: there is no event \\x1b[2Jno of run r1\n"
    done = verb("wait", "r1", "--action", "x", *backend.options)
    assert done.err == "event_not_found: there is no event with the id x of run r1\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["approve"], "either RUN or --all is required"),
        (["approve", "r1"], "either NAME or --action ID is required"),
        (["signal", "r1", "deploy", "yes", "--action", "x"], "NAME cannot be combined with --a"),
        (["reject", "", "deploy"], "RUN must not be empty"),
        (["wait", "r1", ""], "NAME must not be empty"),
        (["abort", "r1", "--action", ""], "--action must not be empty"),
        (["answer", ""], "RUN must not be empty"),
        (["answer", "--action", "x"], "--action requires RUN"),
        (["wait", "r1", "deploy", "--timeout", "5"], "'5' is not a duration"),
        (["wait", "r1", "deploy", "--timeout", "0s"], "'0s' is not a duration of more than 0s"),
        (["signal", "r1", "deploy"], "VALUE is required without a terminal: deploy of run r1"),
        (["answer"], "VALUE is required without a terminal: deploy of run r1 expects yes or no"),
        (["create", "r1", ""], "a name has 1 to 1000 characters"),
        (["create", "r1", "a\nb"], "a name has 1 to 1000 characters"),
        (["list", ""], "RUN must not be empty"),
    ],
)
def test_arguments_that_cannot_be_used_are_usage_errors(
    verb: Verb, local: Backend, arguments: list[str], message: str
) -> None:
    local.ask("deploy")
    done = verb(*arguments)
    assert (done.status, done.out) == (2, "")
    usage, error = done.err.splitlines()
    assert usage.startswith(f"usage: flyte-sidecar {arguments[0]} ")
    assert message in error
    assert Event.get("deploy", run_name="r1").phase == "PAUSED"


@pytest.mark.parametrize(
    "arguments",
    ["pending", "get r1 deploy", "abort --all --yes", "watch", "notify --exec true"],
)
def test_a_missing_scope_is_a_usage_error_that_names_the_option(
    verb: Verb, deployment: Deployment, arguments: str
) -> None:
    options = flyte_options(deployment.server.endpoint)
    done = verb(*arguments.split(), *options, "--project", "")
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith(": error: --project is required: the connection has no default\n")


def test_answer_takes_the_only_event_that_waits(verb: Verb, backend: Backend) -> None:
    options = backend.options
    done = verb("answer", *options)
    assert (done.status, done.err) == (1, "event_not_found: no event waits for an answer\n")
    first = backend.ask("deploy")
    done = verb("answer", *options)
    assert (done.status, "deploy of run r1 expects yes or no" in done.err) == (2, True)
    second = backend.ask("rate", "float", prompt="Which\nrate?")
    for operands in ((), ("r1",)):
        done = verb("answer", *operands, *options)
        assert (done.status, done.out) == (1, "")
        assert done.err.splitlines() == [
            "ambiguous_event: several events wait for an answer: choose one with RUN --action ID",
            f"  r1 --action {first}  deploy: Approve?",
            f"  r1 --action {second}  rate: Which rate?",
        ]
    assert verb("answer", "r1", "rate", "-0.5", *options).out == "-0.5\n"
    assert verb("answer", "r1", "--action", first, "yes", *options).out == "true\n"
    done = verb("answer", "r1", *options)
    assert done.err == "event_not_found: no event of run r1 waits for an answer\n"
    done = verb("answer", "r1", "rate", "1", *options)
    assert (done.status, done.out) == (1, "")
    assert "Nothing was changed: rate of run r1 was already answered with -0.5" in done.err


def test_a_list_of_events_to_choose_from_says_if_it_is_not_all_of_them(
    verb: Verb, local: Backend
) -> None:
    for number in range(CANDIDATES):
        local.ask("deploy", parent=f"a{number}")
    for arguments in (["answer"], ["approve", "r1", "deploy"]):
        assert len(verb(*arguments).err.splitlines()) == 1 + CANDIDATES
    local.ask("deploy", parent="late")
    for arguments in (["answer"], ["approve", "r1", "deploy"]):
        lines = verb(*arguments).err.splitlines()
        assert (len(lines), lines[-1]) == (2 + CANDIDATES, "  ... and others")


def test_answer_reports_events_that_it_does_not_know(
    verb: Verb, local: Backend, deployment: Deployment
) -> None:
    local.ask("deploy")
    deployment.server.stop()
    done = verb("answer", *deployment.options, "--backend", "all")
    assert done.status == 2
    missing, *_ = done.err.splitlines()
    assert missing.startswith("flyte-sidecar: the events of the deployment are missing: backend_un")
    assert "deploy of run r1 expects yes or no" in done.err


def test_an_unknown_outcome_of_a_write_is_reported_as_unknown(
    verb: Verb, deployment: Deployment
) -> None:
    deployment.ask("deploy")
    deployment.server.faults.unavailable = {"SignalEvent": 1000}
    done = verb("approve", "r1", "deploy", *deployment.options)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("backend_unavailable: It is unknown whether this took effect: ")


def test_a_write_that_was_refused_is_reported_to_have_changed_nothing(
    verb: Verb, deployment: Deployment
) -> None:
    deployment.ask("deploy")
    denied = (grpc.StatusCode.PERMISSION_DENIED, "you may not")
    deployment.server.faults.errors = {"SignalEvent": denied, "AbortAction": denied}
    for name in ("approve", "abort"):
        done = verb(name, "r1", "deploy", *deployment.options)
        assert done.status == 1
        assert done.err.startswith("permission_denied: Nothing was changed: ")
        assert done.err.endswith("you may not\n")
