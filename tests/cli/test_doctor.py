"""The verb `doctor`: what it prints, and when."""

from __future__ import annotations

import json
import socket
from typing import Any

import grpc
import pytest

from tests.cli.verbs import Environment, RunningVerb, Started
from tests.conftest import run
from tests.doctor_report import read_report
from tests.e2e.deployment import flyte_options, scoped_options
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server


def test_lines_are_printed_while_a_deployment_does_not_respond(
    env: Environment, started: Started
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        verb = RunningVerb(env, "doctor", *flyte_options(endpoint))
        started.append(verb)
        while (line := verb.line()) != f"ok       connection     {endpoint} accepts connections":
            assert line.startswith(("ok ", "warning ", "skipped ", "         -> "))
        assert verb.popen.poll() is None


@pytest.mark.parametrize("as_json", [False, True])
def test_text_of_a_deployment_cannot_control_the_terminal(as_json: bool, env: Environment) -> None:
    with Server(Model()) as server:
        text = "no\nok       all            is fine\x1b[2K\u202e"
        server.faults.errors["ListRuns"] = (grpc.StatusCode.PERMISSION_DENIED, text)
        options = [*scoped_options(server.endpoint), *(["--json"] if as_json else [])]
        done = run("flyte-sidecar", "doctor", *options, env=env)
    assert (done.returncode, done.stderr) == (1, "")
    assert not {"\x1b", "\u202e"} & {*done.stdout}
    if as_json:
        checks: dict[str, Any] = {
            (check := json.loads(line))["name"]: check for line in done.stdout.splitlines()
        }
        assert set(checks["permission"]) == {"name", "status", "detail", "advice"}
        assert checks["permission"]["status"] == "failed"
        assert checks["permission"]["detail"].endswith(text)
    else:
        report = read_report(done.stdout)
        assert "all" not in report
        assert report["permission"].detail.endswith(r"no ok all is fine\x1b[2K\u202e")


@pytest.mark.posix
def test_results_are_coloured_on_a_terminal_and_the_advice_stands_below(terminal: Any) -> None:
    verb = terminal("doctor", "--log-file", "/", columns=80)
    lines = []
    while not (line := verb.line()).startswith("\x1b[31mFAILED \x1b[0m  log"):
        lines.append(line)
    assert verb.line() == "         -> select another file: --log-file PATH"
    assert lines[0].startswith("\x1b[32mok     \x1b[0m  flyte-sidecar  ")
    assert any("80 columns, utf-8, TERM xterm, colour" in line for line in lines)
