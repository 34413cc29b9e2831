"""Events to the messages of Flyte's RunService."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flyteidl2.common import phase_pb2
from flyteidl2.core import types_pb2
from flyteidl2.workflow import run_definition_pb2
from google.protobuf import json_format

from sidecar.backends.flyte.conversion import (
    action_expected_type,
    action_phase,
    event_to_action,
)
from sidecar.events.model import Event

BEGUN = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ENDED = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)


def event(**members: Any) -> Event:
    standing: dict[str, Any] = {
        "name": "approve",
        "action_name": "e1",
        "run_name": "r1",
        "org": None,
        "project": "local",
        "domain": "local",
        "parent": "a0",
        "group": None,
        "phase": "PAUSED",
        "pending": True,
        "expected_type": "bool",
        "prompt": "Approve?",
        "prompt_type": "text",
        "description": None,
        "created_at": BEGUN,
        "ended_at": None,
        "expires_at": None,
        "payload": None,
        "signalled_by": None,
        "abort_reason": None,
        "url": None,
        "partial": False,
    }
    return Event(**{**standing, **members})


def test_an_event_becomes_the_condition_action_that_flyte_would_list() -> None:
    action = event_to_action(event(org="acme", group="g", phase="SUCCEEDED", ended_at=ENDED))
    assert json_format.MessageToDict(action) == {
        "id": {
            "run": {"org": "acme", "project": "local", "domain": "local", "name": "r1"},
            "name": "e1",
        },
        "metadata": {
            "parent": "a0",
            "group": "g",
            "actionType": "ACTION_TYPE_CONDITION",
            "condition": {"name": "approve", "type": {"simple": "BOOLEAN"}},
        },
        "status": {
            "phase": "ACTION_PHASE_SUCCEEDED",
            "startTime": "2026-03-01T12:00:00.123456Z",
            "endTime": "2026-03-01T12:00:01Z",
        },
    }


def test_what_is_unknown_of_an_event_is_left_out_of_its_action() -> None:
    action = event_to_action(
        event(project=None, domain=None, parent=None, expected_type=None, created_at=None)
    )
    assert json_format.MessageToDict(action) == {
        "id": {"run": {"name": "r1"}, "name": "e1"},
        "metadata": {"actionType": "ACTION_TYPE_CONDITION", "condition": {"name": "approve"}},
        "status": {"phase": "ACTION_PHASE_PAUSED"},
    }


@pytest.mark.parametrize("number", phase_pb2.ActionPhase.values())
def test_every_phase_of_flyte_survives_the_way_there_and_back(number: int) -> None:
    phase = phase_pb2.ActionPhase.Name(number).removeprefix("ACTION_PHASE_")
    action = event_to_action(event(phase=phase))
    assert action.status.phase == number
    assert action_phase(action) == phase


@pytest.mark.parametrize("number", [11, 57, 999_999_999])
def test_a_phase_that_is_not_known_here_keeps_its_number(number: int) -> None:
    action = run_definition_pb2.Action.FromString(
        run_definition_pb2.Action(status={"phase": number}).SerializeToString()
    )
    assert action_phase(action) == f"UNKNOWN_{number}"
    assert event_to_action(event(phase=f"UNKNOWN_{number}")).status.phase == number


@pytest.mark.parametrize("phase", ["", "UNKNOWN_", "UNKNOWN_x", "UNKNOWN_99999999999", "paused"])
def test_a_word_that_is_no_phase_is_told_as_unspecified(phase: str) -> None:
    assert action_phase(event_to_action(event(phase=phase))) == "UNSPECIFIED"


@pytest.mark.parametrize("declared", ["bool", "int", "float", "str", None])
def test_the_declared_type_survives_the_way_there_and_back(declared: Any) -> None:
    assert action_expected_type(event_to_action(event(expected_type=declared))) == declared


def test_a_type_that_no_payload_has_counts_as_not_told() -> None:
    action = run_definition_pb2.Action()
    assert action_expected_type(action) is None
    action.metadata.condition.type.simple = types_pb2.DATETIME
    assert action_expected_type(action) is None
    action.metadata.condition.type.blob.format = "png"
    assert action_expected_type(action) is None
    assert action_expected_type(run_definition_pb2.Action(metadata={"task": {}})) is None


def test_looking_at_an_action_changes_nothing_in_it() -> None:
    action = run_definition_pb2.Action(metadata={"task": {}})
    before = action.SerializeToString()
    action_expected_type(action)
    action_phase(action)
    assert action.SerializeToString() == before
    assert action.metadata.WhichOneof("spec") == "task"


def test_names_in_any_script_and_with_any_character_survive() -> None:
    name = "Genehmigt? \N{SNOWMAN} \N{GRINNING FACE} \0 \u202e"
    action = event_to_action(event(name=name, parent=name, run_name=name))
    assert action.metadata.condition.name == name
    assert action.metadata.parent == name
    assert action.id.run.name == name


def test_instants_keep_their_microseconds_far_from_now() -> None:
    for instant in (
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ):
        action = event_to_action(event(created_at=instant))
        assert action.status.start_time.ToDatetime(UTC) == instant
