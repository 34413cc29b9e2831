"""The examples in other languages, with the real command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import BUILD_SECONDS, CLIENTS
from tests.conftest import TEST_TIMEOUT, needs, run

Environment = dict[str, str]
Program = subprocess.Popen[str]
Start = Callable[..., Program]


@pytest.fixture
def start(command: Environment) -> Iterator[Start]:
    """Start a program whose output is captured, and kill it after the test."""
    started: list[Program] = []

    def make(*command_line: str | Path) -> Program:
        program = subprocess.Popen(
            list(map(str, command_line)),
            env=command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(program)
        return program

    yield make
    for program in started:
        program.kill()
        program.communicate()


@pytest.fixture(scope="session")
def approve_program(go: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("go") / "approve"
    arguments = ("build", "-o", program, "./examples/approve")
    built = run(go[0], *arguments, env=dict(os.environ), cwd=go[1], timeout=BUILD_SECONDS)
    assert built.returncode == 0, built.stderr
    return program


def call(env: Environment, method: str, **params: Any) -> Any:
    done = run("flyte-sidecar", "call", method, json.dumps(params), env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def line_with(text: str, program: Program) -> str:
    """Return the next line of output that contains the text."""
    assert program.stdout is not None
    for line in program.stdout:
        if text in line:
            return line
    pytest.fail(f"the program exited without printing {text!r}: {program.stderr.read()}")  # type: ignore[union-attr]


def wait_for_exit(program: Program) -> tuple[int, str]:
    """Return the exit status of a program and the rest of its stderr."""
    _, errors = program.communicate(timeout=TEST_TIMEOUT)
    return program.returncode, errors


@pytest.mark.timeout(BUILD_SECONDS)
class TestNode:
    """ask.mjs asks a person and continues with the answer."""

    @pytest.fixture
    def asking(self, typescript: Path, start: Start) -> Program:
        return start(needs("node"), typescript / "examples" / "ask.mjs")

    def test_it_continues_with_the_answer(self, asking: Program, command: Environment) -> None:
        command_line = line_with("flyte-sidecar call events.signal", asking).strip()
        # As a person does who pastes the line into a shell.
        done = subprocess.run(
            command_line, shell=True, env=command, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "75" in line_with("%", asking)
        assert wait_for_exit(asking) == (0, "")

    def test_it_fails_when_the_event_is_aborted(
        self, asking: Program, command: Environment
    ) -> None:
        line_with("flyte-sidecar call events.signal", asking)
        [event] = call(command, "events.pending")["events"]
        call(command, "events.abort", runName=event["runName"], name=event["name"])
        status, errors = wait_for_exit(asking)
        assert status == 1
        assert "ABORTED" in errors

    def test_it_exits_with_status_0_when_it_is_interrupted(self, asking: Program) -> None:
        line_with("flyte-sidecar call events.signal", asking)
        asking.send_signal(signal.SIGINT)
        assert wait_for_exit(asking) == (0, "")


@pytest.mark.timeout(BUILD_SECONDS)
class TestGo:
    """approve approves the events whose names match a pattern."""

    def test_it_approves_events_with_matching_names_only(
        self, approve_program: Path, start: Start, command: Environment
    ) -> None:
        call(command, "events.create", runName="r1", name="deploy-eu")
        call(command, "events.create", runName="r1", name="drop-table")
        call(command, "events.create", runName="r1", name="deploy-when", expectedType="str")
        approving = start(approve_program, "-name", "deploy-*")
        line_with("deploy-eu", approving)
        call(command, "events.create", runName="r2", name="deploy-us")
        line_with("deploy-us", approving)
        approving.send_signal(signal.SIGINT)
        assert wait_for_exit(approving) == (0, "")
        pending = call(command, "events.pending")["events"]
        assert {event["name"] for event in pending} == {"drop-table", "deploy-when"}
        answered = call(command, "events.get", runName="r2", name="deploy-us")
        assert answered["payload"] is True


class TestShell:
    """approve.sh approves all pending events with a name."""

    @pytest.fixture
    def script(self) -> Path:
        needs("jq")
        needs("bash")
        return CLIENTS / "shell" / "approve.sh"

    def test_it_approves_the_events_with_the_name_in_all_runs(
        self, script: Path, command: Environment
    ) -> None:
        for run_name in ("r1", "r2"):
            call(command, "events.create", runName=run_name, name="größe")
        call(command, "events.create", runName="r1", name="other")
        done = run(script, "größe", env=command)
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(done.stdout.splitlines()) == [
            "approved größe of r1",
            "approved größe of r2",
        ]
        [remaining] = call(command, "events.pending")["events"]
        assert remaining["name"] == "other"

    def test_it_does_nothing_if_no_event_is_pending(
        self, script: Path, command: Environment
    ) -> None:
        done = run(script, "deploy", env=command)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_it_ignores_events_of_other_types_than_bool(
        self, script: Path, command: Environment
    ) -> None:
        call(command, "events.create", runName="r1", name="deploy", expectedType="str")
        assert run(script, "deploy", env=command).returncode == 0
        assert len(call(command, "events.pending")["events"]) == 1

    def test_it_fails_if_events_cannot_be_listed(
        self, script: Path, command: Environment, store: Path
    ) -> None:
        store.write_text("not a store" * 1000)
        done = run(script, "deploy", env=command)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("store_unavailable: ")

    def test_it_fails_if_the_sidecar_command_is_missing(
        self, script: Path, command: Environment, tmp_path: Path
    ) -> None:
        for tool in ("bash", "env", "jq"):
            (tmp_path / tool).symlink_to(needs(tool))
        done = run(script, "deploy", env={**command, "PATH": str(tmp_path)})
        assert done.returncode not in (0, None)
        assert "flyte-sidecar" in done.stderr

    def test_it_runs_the_command_that_the_environment_selects(
        self, script: Path, command: Environment, tmp_path: Path
    ) -> None:
        call(command, "events.create", runName="r1", name="deploy")
        for tool in ("bash", "env", "jq"):
            (tmp_path / tool).symlink_to(needs(tool))
        sidecar = shutil.which("flyte-sidecar", path=command["PATH"])
        selected = {**command, "PATH": str(tmp_path), "FLYTE_SIDECAR": str(sidecar)}
        done = run(script, "deploy", env=selected)
        # The sidecar itself does not warn about the variable.
        assert (done.returncode, done.stdout, done.stderr) == (0, "approved deploy of r1\n", "")

    def test_it_approves_the_other_events_if_one_approval_fails(
        self, script: Path, command: Environment, tmp_path: Path
    ) -> None:
        for run_name in ("r1", "r2", "r3"):
            call(command, "events.create", runName=run_name, name="deploy")
        sidecar = shutil.which("flyte-sidecar", path=command["PATH"])
        # Another client answers between the listing and the approvals.
        (tmp_path / "flyte-sidecar").write_text(
            "#!/bin/sh\n"
            f'[ $# = 0 ] || exec {sidecar} "$@"\n'
            "requests=$(cat)\n"
            f"{sidecar} call events.signal "
            """'{"runName": "r1", "name": "deploy", "payload": false}' >&2 </dev/null\n"""
            f"""printf '%s\\n' "$requests" | {sidecar}\n"""
        )
        (tmp_path / "flyte-sidecar").chmod(0o755)
        env = {**command, "PATH": f"{tmp_path}{os.pathsep}{command['PATH']}"}
        done = run(script, "deploy", env=env)
        assert done.returncode == 1
        assert "already_signalled: " in done.stderr
        assert sorted(done.stdout.splitlines()) == [
            "approved deploy of r2",
            "approved deploy of r3",
        ]
