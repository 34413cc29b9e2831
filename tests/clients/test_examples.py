"""The examples in other languages, against the real command."""

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
from tests.conftest import ROOT, TEST_TIMEOUT, needs, run

Environment = dict[str, str]
Program = subprocess.Popen[str]
Start = Callable[..., Program]


@pytest.fixture
def start(command: Environment) -> Iterator[Start]:
    """Start a program whose output is read, and which is gone after the test."""
    started: list[Program] = []

    def make(*words: str | Path) -> Program:
        program = subprocess.Popen(
            list(map(str, words)),
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
def approve_by_rule(go: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("go") / "approve"
    words = ("build", "-o", program, "./examples/approve")
    built = run(go[0], *words, env=dict(os.environ), cwd=go[1], timeout=BUILD_SECONDS)
    assert built.returncode == 0, built.stderr
    return program


def call(env: Environment, method: str, **params: Any) -> Any:
    done = run("flyte-sidecar", "call", method, json.dumps(params), env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def line_with(words: str, program: Program) -> str:
    """Wait for a line that has the words."""
    assert program.stdout is not None
    for line in program.stdout:
        if words in line:
            return line
    pytest.fail(f"the program ended and never said {words!r}: {program.stderr.read()}")  # type: ignore[union-attr]


def ended(program: Program) -> tuple[int, str]:
    """Wait for the end; gives the exit status and what was yet to be read on stderr."""
    _, errors = program.communicate(timeout=TEST_TIMEOUT)
    return program.returncode, errors


@pytest.mark.timeout(BUILD_SECONDS)
class TestNode:
    """ask.mjs asks a human, and goes on with the answer."""

    @pytest.fixture
    def asking(self, typescript: Path, start: Start) -> Program:
        return start(needs("node"), typescript / "examples" / "ask.mjs")

    def test_it_goes_on_with_what_somebody_answers(
        self, asking: Program, command: Environment
    ) -> None:
        answer = line_with("flyte-sidecar call events.signal", asking).strip()
        # As a person would, whose shell takes the line as it stands.
        done = subprocess.run(answer, shell=True, env=command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "75" in line_with("%", asking)
        assert ended(asking) == (0, "")

    def test_it_tells_that_the_question_was_withdrawn(
        self, asking: Program, command: Environment
    ) -> None:
        line_with("flyte-sidecar call events.signal", asking)
        [event] = call(command, "events.pending")["events"]
        call(command, "events.abort", runName=event["runName"], name=event["name"])
        status, errors = ended(asking)
        assert status == 1
        assert "ABORTED" in errors

    def test_it_ends_quietly_with_an_interrupt(self, asking: Program) -> None:
        line_with("flyte-sidecar call events.signal", asking)
        asking.send_signal(signal.SIGINT)
        assert ended(asking) == (0, "")


@pytest.mark.timeout(BUILD_SECONDS)
class TestGo:
    """approve answers events by rule."""

    def test_it_approves_what_its_rule_says_and_leaves_the_rest(
        self, approve_by_rule: Path, start: Start, command: Environment
    ) -> None:
        call(command, "events.create", runName="r1", name="deploy-eu")
        call(command, "events.create", runName="r1", name="drop-table")
        call(command, "events.create", runName="r1", name="deploy-when", expectedType="str")
        approving = start(approve_by_rule, "-name", "deploy-*")
        line_with("deploy-eu", approving)
        call(command, "events.create", runName="r2", name="deploy-us")
        line_with("deploy-us", approving)
        approving.send_signal(signal.SIGINT)
        assert ended(approving) == (0, "")
        pending = call(command, "events.pending")["events"]
        assert {event["name"] for event in pending} == {"drop-table", "deploy-when"}
        answered = call(command, "events.get", runName="r2", name="deploy-us")
        assert answered["payload"] is True


class TestShell:
    """approve.sh approves every pending event of a name."""

    @pytest.fixture
    def script(self) -> Path:
        needs("jq")
        needs("bash")
        return CLIENTS / "shell" / "approve.sh"

    def test_it_approves_those_of_the_name_in_every_run(
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
        [left] = call(command, "events.pending")["events"]
        assert left["name"] == "other"

    def test_it_does_nothing_where_nothing_waits(self, script: Path, command: Environment) -> None:
        done = run(script, "deploy", env=command)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_it_leaves_alone_what_takes_no_bool(self, script: Path, command: Environment) -> None:
        call(command, "events.create", runName="r1", name="deploy", expectedType="str")
        assert run(script, "deploy", env=command).returncode == 0
        assert len(call(command, "events.pending")["events"]) == 1

    def test_it_fails_where_nothing_can_be_listed(
        self, script: Path, command: Environment, store: Path
    ) -> None:
        store.write_text("no store" * 1000)
        done = run(script, "deploy", env=command)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("store_unavailable: ")

    def test_it_fails_where_a_command_is_missing(
        self, script: Path, command: Environment, tmp_path: Path
    ) -> None:
        for tool in ("bash", "env", "jq"):
            (tmp_path / tool).symlink_to(needs(tool))
        done = run(script, "deploy", env={**command, "PATH": str(tmp_path)})
        assert done.returncode not in (0, None)
        assert "flyte-sidecar" in done.stderr

    def test_one_event_that_cannot_be_approved_does_not_keep_it_from_the_others(
        self, script: Path, command: Environment, tmp_path: Path
    ) -> None:
        for run_name in ("r1", "r2", "r3"):
            call(command, "events.create", runName=run_name, name="deploy")
        sidecar = shutil.which("flyte-sidecar", path=command["PATH"])
        # Somebody else answers between the listing and the approvals.
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

    def test_the_readme_shows_the_script(self, script: Path) -> None:
        pipe = script.read_text().partition("\n\n")[2]
        assert f"```bash\nset -o pipefail\n{pipe}```" in (ROOT / "README.md").read_text()
