"""The examples in other languages, against the real command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT, needs, run

EXAMPLES = ROOT / "clients" / "examples"

Environment = dict[str, str]


@pytest.fixture(scope="session")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import os

    program = tmp_path_factory.mktemp("go") / "approve"
    built = run(needs("go"), "build", "-o", program, ".", env=dict(os.environ), cwd=EXAMPLES / "go")
    assert built.returncode == 0, built.stderr
    return program


@pytest.fixture(params=["node", "go", "shell"])
def approve(request: pytest.FixtureRequest) -> list[str | Path]:
    if request.param == "node":
        return [needs("node"), EXAMPLES / "node" / "approve.mjs"]
    if request.param == "go":
        return [request.getfixturevalue("go_program")]
    needs("jq")
    return [needs("sh"), EXAMPLES / "shell" / "approve.sh"]


def ask(env: Environment, params: str) -> None:
    asked = run("flyte-sidecar", "call", "events.create", params, env=env)
    assert asked.returncode == 0, asked.stderr


def test_an_example_answers_an_event_with_a_bool(
    approve: list[str | Path], command: Environment
) -> None:
    ask(command, '{"runName": "r1", "name": "deploy", "prompt": "Deploy?"}')
    done = run(*approve, "r1", "deploy", "true", env=command)
    assert done.returncode == 0, done.stderr
    assert "Deploy?" in done.stdout
    assert done.stdout.strip().endswith("SUCCEEDED true")
    assert done.stderr == ""


def test_an_example_answers_an_event_with_text_of_any_alphabet(
    approve: list[str | Path], command: Environment
) -> None:
    ask(command, '{"runName": "r1", "name": "colour", "expectedType": "str"}')
    done = run(*approve, "r1", "colour", '"bläu 青"', env=command)
    assert done.returncode == 0, done.stderr
    assert "bläu 青" in done.stdout


def test_an_example_tells_why_an_answer_is_refused(
    approve: list[str | Path], command: Environment
) -> None:
    ask(command, '{"runName": "r1", "name": "threshold", "expectedType": "float"}')
    done = run(*approve, "r1", "threshold", '"high"', env=command)
    assert (
        "payload_type_mismatch: the event takes a float, got a string" in done.stdout + done.stderr
    )


def test_an_example_tells_that_there_is_no_such_event(
    approve: list[str | Path], command: Environment
) -> None:
    done = run(*approve, "r1", "nothing", "true", env=command)
    assert "event_not_found" in done.stdout + done.stderr
