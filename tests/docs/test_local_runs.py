"""The examples of docs/local-runs.md, with Flyte's SDK."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import flyte_sidecar
from flyte_sidecar.errors import AlreadyCompleted
from tests.conftest import TEST_TIMEOUT, needs, run
from tests.docs.blocks import claim
from tests.flyte_sdk import sdk_and_sidecar

pytestmark = [pytest.mark.posix, pytest.mark.versions, pytest.mark.timeout(600)]

RUN_PYTEST = """
import sys
sys.path.append(sys.argv.pop(1))  # the environment of the SDK has no pytest
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "test_workflow.py"]))
"""


EXAMPLES = {
    (heading, language): claim("docs/local-runs.md", language, heading)
    for heading, language in (
        *(("A workflow", "python"), ("A workflow", "bash"), ("A workflow", "console")),
        *(("Several conditions, several runs", "console"), ("Tests", "python")),
        *(("An editor's run button", ""), ("CI", "bash"), ("Turning it off", "console")),
    )
}


def example(heading: str, language: str) -> str:
    [block] = EXAMPLES[heading, language]
    return block.text


def commands(heading: str) -> list[str]:
    shown = "".join(block.text for block in EXAMPLES[heading, "console"])
    return re.findall(r"^\$ (.+)$", shown, re.MULTILINE)


@pytest.fixture
def env(
    command: dict[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """An environment with the SDK, and the workflow in the current folder."""
    (tmp_path / "workflow.py").write_text(example("A workflow", "python"))
    scripts = sdk_and_sidecar("flyte", tmp_path_factory).parent
    return {**command, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}


Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(env: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts a shell command without a terminal."""
    started: list[subprocess.Popen[str]] = []

    def begin(line: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def next_notice(process: subprocess.Popen[str]) -> str:
    """Return the next line of the sidecar on stderr."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("flyte-sidecar: "):
            return line
    raise AssertionError(process.communicate())


def test_the_workflow_is_answered_from_a_shell(
    start: Start, env: dict[str, str], tmp_path: Path
) -> None:
    needs("jq")
    begin, pending, deploy, share = commands("A workflow")
    script = tmp_path / "wait.sh"
    script.write_text(example("A workflow", "bash"))
    waiting = start("bash wait.sh")
    local_run = start(begin)
    next_notice(local_run)
    listed = run(*pending.split(), env=env)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "Deploy m1?" in listed.stdout
    for line in (deploy, share):
        if line is share:
            while "'share'" not in next_notice(local_run):
                pass
        answered = run(*line.split(), env=env)
        assert (answered.returncode, answered.stderr) == (0, "")
    output, errors = local_run.communicate(timeout=TEST_TIMEOUT)
    assert local_run.returncode == 0, errors
    assert "deployed to 50%" in output
    assert waiting.communicate(timeout=TEST_TIMEOUT) == ("true\n", "")


def test_events_are_listed_and_aborted_from_a_shell(env: dict[str, str]) -> None:
    needs("jq")
    flyte_sidecar.init(store=env["FLYTE_SIDECAR_STORE"])
    deploy = flyte_sidecar.Event.create("deploy", "r1", prompt="Deploy?")
    listing, answer, abort = commands("Several conditions, several runs")
    assert run("bash", "-c", listing, env=env).stdout == f"{deploy.action_name} Deploy?\n"
    refused = run("bash", "-c", answer, env=env)
    assert refused.returncode == 1
    assert "Run r1 has no event approve with the action name" in refused.stderr
    assert run("bash", "-c", abort, env=env).returncode == 0
    with pytest.raises(AlreadyCompleted):
        deploy.wait()


def test_a_run_without_a_terminal_prints_the_documented_line_and_leaves_no_event(
    start: Start, env: dict[str, str]
) -> None:
    local_run = start("python workflow.py")
    assert next_notice(local_run) == example("An editor's run button", "")
    local_run.send_signal(signal.SIGINT)
    local_run.communicate(timeout=TEST_TIMEOUT)
    assert run("flyte", "pending", env=env).stderr == "No pending events.\n"


def test_the_tests_answer_through_the_fixture(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "test_workflow.py").write_text(example("Tests", "python"))
    packages = str(Path(pytest.__file__).parent.parent)
    env = {**env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = run("python", "-c", RUN_PYTEST, packages, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert not Path(env["FLYTE_SIDECAR_STORE"]).exists()


def test_a_ci_job_answers_from_another_process(env: dict[str, str], tmp_path: Path) -> None:
    done = run("bash", "-c", example("CI", "bash"), env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'o0="rejected"' in done.stdout


def test_a_ci_job_ends_with_a_run_that_fails(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "workflow.py").write_text("raise ValueError\n")
    done = run("bash", "-c", example("CI", "bash"), env=env, cwd=tmp_path)
    assert done.returncode != 0
    assert "There is no event deploy of run nightly-" in done.stderr


def test_the_variable_leaves_the_sdk_as_it_is(env: dict[str, str], tmp_path: Path) -> None:
    [line] = commands("Turning it off")
    done = run("bash", "-c", line, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode != 0
    assert "EOF" in done.stdout + done.stderr
    assert not Path(env["FLYTE_SIDECAR_STORE"]).exists()
