from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.errors import AlreadyCompleted
from flyte_sidecar.events.payloads import same
from tests.cli.verbs import edit_events
from tests.conftest import ROOT
from tests.fake_runservice.server import Server
from tests.flyte_commands.conftest import SCOPE, Flyte
from tests.terminal import Terminal

VALUES = [
    (bool, "yes", True),
    (bool, "false", False),
    (int, "9223372036854775807", 2**63 - 1),
    (int, "-7", -7),
    (float, "3", 3.0),
    (float, "-inf", float("-inf")),
    (float, "nan", float("nan")),
    (str, "42", "42"),
    (str, "--action", "--action"),
    (str, "", ""),
]


def error(result: Any) -> str:
    """Return the text in the panel of an error, with single spaces."""
    return " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(("kind", "text", "value"), VALUES)
def test_a_value_is_parsed_by_the_type_of_the_event(
    flyte: Flyte, local: Any, configured: Server, kind: type, text: str, value: Any
) -> None:
    event = local.create("n", "r1", expected_type=kind)
    done = flyte("answer", "r1", "n", "--", text)
    assert (done.exit_code, done.stderr) == (0, "")
    assert same(event.wait(), value)
    assert not configured.calls  # a local run is found without the deployment


def test_an_event_of_the_deployment_is_answered(flyte: Flyte, configured: Server) -> None:
    configured.model.ask("r9", "approve", action="e1", **SCOPE)
    configured.model.ask("r9", "rate", "float", action="e2", project="other", domain="d")
    done = flyte("answer", "r9", "approve", "y")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("approve of run r9 was approved")
    assert flyte("answer", "-p", "other", "-d", "d", "r9", "rate", "0.5").exit_code == 0
    assert "e2" not in flyte("pending", "--json", "-p", "other").stdout


def test_the_first_answer_is_reported(flyte: Flyte, local: Any) -> None:
    local.create("deploy", "r1")
    done = flyte("answer", "r1", "deploy", "no")
    assert done.stdout.startswith("deploy of run r1 was rejected by ")
    earlier = done.stdout.replace(" was rejected", " was already rejected").strip()
    for value in (["no"], ["yes"], ["maybe"], []):  # "no" may be meant for a new run of the name
        again = flyte("answer", "r1", "deploy", *value)
        assert (again.exit_code, again.stdout) == (1, "")
        assert f"Nothing was changed: {earlier}" in error(again)


def test_an_event_that_waits_precedes_one_of_a_local_run_that_has_ended(
    flyte: Flyte, local: Any, configured: Server
) -> None:
    configured.model.ask("r1", "deploy", action="e1", **SCOPE)
    configured.model.ask("r1", "share", "float", action="e2", **SCOPE)
    local.create("deploy", "r1").signal(True)
    done = flyte("answer", "r1", "deploy", "no")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("deploy of run r1 was rejected at ")
    again = flyte("answer", "r1", "deploy", "no")  # both have ended: the local one is reported
    assert again.exit_code == 1
    assert "deploy of run r1 was already approved" in error(again)
    assert flyte("answer", "r1", "share", "0.5").exit_code == 0  # the local run has no such event
    configured.stop()
    again = flyte("answer", "r1", "deploy", "no")
    assert again.exit_code == 1
    assert "deploy of run r1 was already approved" in error(again)
    assert "The deployment cannot be read: " in error(again)


@pytest.mark.parametrize("number", ["-0.5", "-7", "-.5", "-1e-3", "-inf", "-INFINITY"])
def test_a_negative_number_needs_no_dashes_before_it(flyte: Flyte, local: Any, number: str) -> None:
    event = local.create("limit", "r1", expected_type=float)
    done = flyte("answer", "r1", "limit", number, "--parent", "a0", "-plocal", "--domain=local")
    assert (done.exit_code, done.stderr) == (0, "")
    assert event.wait() == float(number)


@pytest.mark.parametrize("typo", ["--actoin", "-a", "-x5", "--parnet=a0", "-5x", "-"])
def test_an_option_that_does_not_exist_is_not_an_answer(
    flyte: Flyte, local: Any, typo: str
) -> None:
    event = local.create("note", "r1", expected_type=float)
    for arguments in ([typo], [typo, "-5"], ["-5", typo]):
        assert flyte("answer", "r1", "note", *arguments).exit_code != 0
    assert event.get("note", run_name="r1").phase == "PAUSED"


def test_what_cannot_be_answered_is_one_sentence(flyte: Flyte, local: Any) -> None:
    done = flyte("answer", "r1", "\x1b[2Jdeploy", "yes")
    assert done.exit_code == 1
    assert r"There is no event \x1b[2Jdeploy of run r1. `flyte pending` lists" in error(done)
    local.create("deploy", "r1", expected_type=int)
    done = flyte("answer", "r1", "deploy", "\x1b[2J" + "x" * 1000)
    assert done.exit_code == 1
    assert r"'\x1b[2Jxxx" in error(done)
    assert "x…' is not an int: deploy of run r1 expects a whole number of at most" in error(done)
    assert len(done.stderr) < 2000
    done = flyte("answer", "r1", "deploy")
    assert done.exit_code == 2
    assert "VALUE is required without a terminal" in error(done)
    assert "deploy of run r1 expects a whole number of at most 64 bits" in error(done)
    short = local.create("short", "r1", expires_in=0.001)
    with pytest.raises(AlreadyCompleted):
        short.wait()
    done = flyte("answer", "r1", "short", "yes")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "short of run r1 already timed out" in error(done)


def test_events_of_one_name_are_told_apart_by_action_or_parent(flyte: Flyte, local: Any) -> None:
    first, second = (
        local.create("approve", "r1", parent, prompt=f"Deploy to {place}?")
        for parent, place in (("a1", "eu"), ("a2", "us"))
    )
    done = flyte("answer", "r1", "approve", "yes")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "choose one with --action ID" in error(done)
    for event, place in ((first, "eu"), (second, "us")):
        assert f"{event.action_name} Deploy to {place}?" in error(done)
    assert flyte("answer", "r1", "approve", "no", "--parent", "a2").exit_code == 0
    assert second.wait() is False
    third = local.create("approve", "r1", "a3")
    for options, where in (
        (
            ("other", "yes", "--action", third.action_name),
            f"other with the action name {third.action_name}.",
        ),
        (("approve", "yes", "--action", "x"), "approve with the action name x."),
        (("approve", "yes", "--parent", "a9"), "approve of the parent action a9."),
    ):
        done = flyte("answer", "r1", *options)
        assert done.exit_code == 1
        assert f"Run r1 has no event {where} `flyte pending --json` shows" in error(done)
    assert flyte("answer", "r1", "approve", "yes", "--action", third.action_name).exit_code == 0
    assert third.wait() is True
    assert first.get("approve", run_name="r1").phase == "PAUSED"


def test_an_unavailable_deployment_is_reported_if_there_is_no_local_event(
    flyte: Flyte, local: Any, configured: Server
) -> None:
    local.create("here", "r1")
    configured.stop()
    assert flyte("answer", "r1", "here", "yes").exit_code == 0
    done = flyte("answer", "r9", "there", "yes")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "The event there of run r9 was not found. The deployment cannot be" in error(done)
    assert configured.endpoint in error(done)


def test_an_invalid_config_is_reported_if_there_is_no_local_event(
    flyte: Flyte, local: Any, tmp_path: Path
) -> None:
    local.create("here", "r1")
    config = tmp_path / "broken.yaml"
    config.write_text("admin: {endpoint: [x]}\n")
    done = flyte("--config", str(config), "answer", "r1", "here", "yes")
    assert (done.exit_code, done.stderr) == (0, "")
    done = flyte("--config", str(config), "answer", "r9", "there", "yes")
    assert done.exit_code == 1
    assert "There is no event there of run r9." in error(done)
    assert f"The deployment is not used: {config}" in error(done)


@pytest.mark.parametrize(
    "arguments",
    [
        ("r1", "n", "yes", "--action", "a", "--parent", "p"),
        ("", "n", "yes"),
        ("r1", "", "yes"),
        ("r1", "n", "yes", "--action", ""),
        ("caf\udce9", "n", "yes"),
        ("r1", "caf\udce9", "yes"),
        ("r1", "n", "yes", "--action", "caf\udce9"),
        ("r1", "n", "yes", "--parent", "caf\udce9"),
        ("r1", "n", "yes", "--project", "caf\udce9"),
        ("r1",),
        ("r1", "n", "yes", "no"),
    ],
)
def test_arguments_that_name_no_event_are_usage_errors(
    flyte: Flyte, arguments: tuple[str, ...], store: Path
) -> None:
    done = flyte("answer", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert not store.exists()


def test_an_event_of_unknown_type_is_not_answered(flyte: Flyte, local: Any, store: Path) -> None:
    event = local.create("n", "r1")
    edit_events(store, expectedType=None, url="https://console/r1")
    done = flyte("answer", "r1", "n", "yes")
    assert done.exit_code == 1
    assert "does not report the type of n of run r1: https://console/r1" in error(done)
    event.signal(True)
    edit_events(store, expectedType=None)
    assert "Nothing was changed: n of run r1 was already approved" in error(
        flyte("answer", "r1", "n")
    )


@pytest.fixture
def asking(command: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    """A terminal at which the command asks for the answer to the event `rate` of the run r1."""
    program = (sys.executable, "-m", "tests.flyte_commands.cli", "answer", "r1", "rate")
    script = '"$@"; echo "status $?"; cat'
    env = {**command, "PYTHONPATH": str(ROOT)}
    terminal = Terminal(["sh", "-c", script, "sh", *program], env, tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture
def rate(local: Any) -> Any:
    """An event that waits for a float."""
    return local.create("rate", "r1", expected_type=float, prompt="Which\x1b[2J rate?\nOf 1.")


@pytest.mark.posix
def test_without_a_value_the_terminal_asks_until_it_has_the_type(
    rate: Any, asking: Terminal
) -> None:
    asking.wait_for("Of 1.")
    assert r"Which\x1b[2J rate?" in asking.text
    asking.type("high\r")
    asking.wait_for("'high' is not a float: enter a number such as 0.5")
    asking.type("0.25\r")
    asking.wait_for("status 0")
    assert "rate of run r1 was answered with 0.25" in asking.text
    assert rate.wait() == 0.25


@pytest.mark.posix
def test_the_terminal_stops_asking_when_the_event_is_answered_elsewhere(
    rate: Any, asking: Terminal
) -> None:
    asking.wait_for("Of 1.")
    rate.signal(0.5)
    asking.wait_for("status 1")
    assert "Nothing was changed: rate of run r1 was already answered with 0.5" in asking.text
    assert "Of 1." not in asking.text


@pytest.mark.posix
def test_ctrl_d_answers_nothing(rate: Any, asking: Terminal) -> None:
    asking.wait_for("Of 1.")
    asking.type("\x04")
    asking.wait_for("status 1")
    assert "Aborted" in asking.text
    assert rate.get("rate", run_name="r1").phase == "PAUSED"
