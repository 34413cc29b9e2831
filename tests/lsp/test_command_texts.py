"""The messages of commands, with text from elsewhere."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.events.model import Event, Scope
from flyte_sidecar.events.outcome_text import outcome
from flyte_sidecar.events.plain_text import is_safe
from flyte_sidecar.lsp import command_texts as texts

SCOPE = Scope(None, "local", "local")
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def event(**members: Any) -> Event:
    optional = "org group prompt prompt_type description created_at ended_at expires_at payload"
    absent = dict.fromkeys([*optional.split(), "signalled_by", "abort_reason", "url"])
    defaults = {
        "name": "deploy",
        "action_name": "e1",
        "run_name": "r1",
        "project": "local",
        "domain": "local",
        "parent": "a0",
        "phase": "PAUSED",
        "pending": True,
        "expected_type": "int",
        "partial": False,
    }
    return Event(**{**absent, **defaults, **members})


def commands_in(message: str) -> tuple[list[Any], list[str]]:
    """Return the arguments of the editor's command, and the words of the shell's command."""
    arguments, shell = message.split("with the arguments\n")[1].split("\nor run in a shell\n")
    assert "](" not in arguments
    assert arguments.isascii()
    return json.loads(arguments), shlex.split(shell)


@given(st.text(), st.text(), st.text(), st.text(), st.sampled_from(["int", "float", "str"]))
def test_the_commands_that_answer_an_event_name_exactly_this_event(
    run: str, action: str, project: str, option: str, expected_type: Any
) -> None:
    waiting = event(run_name=run, action_name=action, project=project, expected_type=expected_type)
    message = texts.how_to_answer(waiting, SCOPE, ["flyte-sidecar", "--store", option])
    target = {"runName": run, "actionName": action}
    if project != "local":
        target["project"] = project
    value = {"int": 3, "float": 0.5, "str": "text"}[expected_type]
    arguments, shell = commands_in(message)
    assert arguments == [target, value]
    assert shell[5].isascii()
    assert shell[:5] == ["flyte-sidecar", "--store", option, "call", "events.signal"]
    assert json.loads(shell[5]) == {**target, "payload": value}
    assert len(shell) == 6


@given(st.text(), st.text(), st.text(), st.text())
def test_texts_from_elsewhere_stay_on_one_line(a: str, b: str, c: str, d: str) -> None:
    for message in (
        texts.question(event(run_name=a, name=b, prompt=c)),
        outcome(event(name=a, run_name=b, phase="ABORTED", abort_reason=c)),
        outcome(event(name=a, run_name=b, phase="SUCCEEDED", payload=c, signalled_by=d)),
        outcome(event(name=a, run_name=b, phase=c)),
    ):
        assert all(map(is_safe, message))
        assert "](" not in message
        assert len(message) < 700


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"payload": True, "signalled_by": "ada"}, "was approved by ada at {noon}."),
        ({"payload": False, "ended_at": None}, "was rejected."),
        ({"payload": 7}, "was answered with 7 at {noon}."),
        ({"payload": 2**60}, "was answered with 1152921504606846976 at {noon}."),
        ({"payload": float("nan")}, "was answered with NaN at {noon}."),
        ({"payload": "x\ny"}, 'was answered with "x\\ny" at {noon}.'),
        ({"payload": None}, "was answered at {noon}."),
        ({"phase": "ABORTED"}, "was aborted at {noon}."),
        ({"phase": "ABORTED", "abort_reason": "late"}, "was aborted at {noon}: late."),
        ({"phase": "TIMED_OUT"}, "timed out at {noon}."),
        ({"phase": "UNKNOWN_12"}, "has ended at {noon}: UNKNOWN_12."),
    ],
)
def test_the_end_of_an_event_is_described(members: dict[str, Any], expected: str) -> None:
    ended = event(**{"phase": "SUCCEEDED", "pending": False, "ended_at": NOON, **members})
    noon = f"{NOON.astimezone():%Y-%m-%d %H:%M}"
    assert outcome(ended) == f"deploy of run r1 {expected.format(noon=noon)}"


def test_an_event_without_a_prompt_has_a_question_too() -> None:
    assert texts.question(event()) == "r1 waits for an answer (deploy)"


def test_a_summary_ends_with_the_page_of_the_event() -> None:
    shown = texts.summary(event(prompt="How many?", url="https://flyte.example.com/e1"))
    assert shown == "r1 asks: How many? (deploy)\nhttps://flyte.example.com/e1"


def test_labels_are_distinct_for_events_that_look_alike() -> None:
    events = [event(action_name="e1"), event(action_name="e2"), event(action_name="e2")]
    events += [event(run_name="r1 ", action_name="e2"), event(name="other")]
    labels = texts.labels(events)
    assert list(labels.values()) == events
    assert list(labels)[:2] == ["deploy · r1", "deploy · r1 · e2"]
