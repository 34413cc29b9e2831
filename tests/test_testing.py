"""Answers for the conditions of local runs, which are events of the embedded store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flyte_sidecar
from flyte_sidecar.errors import AlreadyCompleted
from flyte_sidecar.testing import answering
from tests.conftest import run
from tests.flyte_sdk import sdk_and_sidecar

WORKFLOW = """
import flyte
from flyte_sidecar.testing import answering

new_condition = getattr(flyte, "new_condition", None) or flyte.new_event
env = flyte.TaskEnvironment(name="e")

@env.task
async def task() -> None:  # for this signature, the SDK does not load its plugins
    condition = await new_condition.aio("count", data_type=int)
    print("count", await condition.wait.aio())

local = flyte.with_runcontext(mode="local")
with answering({"count": 7}) as answers:
    local.run(task)
    del answers["count"]
    try:
        local.run(task)
    except Exception as error:
        print(error)
"""


@pytest.fixture(autouse=True)
def store_of_user(store: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", str(store))
    yield
    flyte_sidecar.init(store=store)


def ask(name: str, run: str, expected_type: Any = bool) -> flyte_sidecar.Event:
    """Create an event as a local run does: in the store that the environment selects."""
    flyte_sidecar.init(store=os.environ["FLYTE_SIDECAR_STORE"])
    event: flyte_sidecar.Event = flyte_sidecar.Event.create(
        name, run_name=run, expected_type=expected_type
    )
    return event


def test_conditions_get_the_answers_of_their_names() -> None:
    with answering({"deploy": True, "rate": 3}) as answers:
        assert ask("deploy", "one").wait(timeout=30) is True
        assert ask("rate", "one", float).wait(timeout=30) == 3.0
        answers["deploy"] = False
        answers["text"] = "7"
        assert ask("deploy", "two").wait(timeout=30) is False
        assert ask("text", "two", str).wait(timeout=30) == "7"


@pytest.mark.parametrize(
    ("answers", "expected_type", "reason"),
    [
        ({}, bool, "the test has no answer to 'deploy'"),
        ({"other": True}, bool, "the test has no answer to 'deploy'"),
        ({"deploy": 1}, bool, "the answer of the test is not valid: the event expects a bool"),
        ({"deploy": "7"}, int, "the answer of the test is not valid: the event expects an int"),
    ],
)
def test_a_condition_without_a_valid_answer_is_aborted(
    answers: dict[str, Any], expected_type: type, reason: str
) -> None:
    with answering(answers):
        event = ask("deploy", f"{answers} {expected_type}", expected_type)
        with pytest.raises(AlreadyCompleted) as raised:
            event.wait(timeout=30)
    assert raised.value.data["event"].abort_reason.startswith(reason)


def test_only_events_of_the_block_are_answered(store: Any) -> None:
    before = ask("deploy", "before")
    with answering({"deploy": True}):
        pass
    assert os.environ["FLYTE_SIDECAR_STORE"] == str(store)
    flyte_sidecar.init(store=store)
    assert before.get("deploy", run_name="before").phase == "PAUSED"
    with answering({"deploy": True}):
        path = os.environ["FLYTE_SIDECAR_STORE"]
    flyte_sidecar.init(store=path)
    after = flyte_sidecar.Event.create("deploy", run_name="after")
    with answering({"deploy": True}):
        assert ask("deploy", "within").wait(timeout=30) is True
        assert after.get("deploy", run_name="after").phase == "PAUSED"


def test_without_a_store_of_the_user_none_is_selected_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FLYTE_SIDECAR_STORE")
    with answering():
        assert "FLYTE_SIDECAR_STORE" in os.environ
    assert "FLYTE_SIDECAR_STORE" not in os.environ


@pytest.mark.versions
@pytest.mark.timeout(600)
@pytest.mark.parametrize("requirement", ["flyte==2.3.8", "flyte"])
def test_a_workflow_of_a_real_sdk_is_answered(
    requirement: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = sdk_and_sidecar(requirement, tmp_path_factory)
    (tmp_path / "workflow.py").write_text(WORKFLOW)
    done = run(python, "workflow.py", env={**os.environ, "HOME": str(tmp_path)}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "count 7"
    assert "the test has no answer to 'count'" in second
