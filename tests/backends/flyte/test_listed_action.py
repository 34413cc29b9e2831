"""Actions as listings report them: their kind, their names, their order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flyteidl2.core import types_pb2
from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.rpc.event_conversion import (
    event_from_details,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction, listed_action
from tests.backends.flyte.flyte_messages import (
    CONDITION,
    CREATED,
    CREATED_SECOND,
    RUN,
    make_action,
)


@pytest.mark.parametrize("kind", [0, 7, 99])
def test_a_paused_action_is_an_event_unless_it_reports_another_type(kind: int) -> None:
    paused: Any = {"phase": "ACTION_PHASE_PAUSED"}
    action = run_definition_pb2.Action(metadata={"action_type": kind}, status=paused)
    assert listed_action(action, RUN).is_event is True
    details = run_definition_pb2.ActionDetails(metadata={"action_type": kind}, status=paused)
    assert event_from_details(details, RUN, None) is not None
    running = run_definition_pb2.Action(metadata={"action_type": kind})
    assert listed_action(running, RUN).is_event is None
    for task in ({"task": {}}, {"trace": {}}, {"action_type": "ACTION_TYPE_TASK"}):
        metadata: Any = task
        if "action_type" not in task:
            action = run_definition_pb2.Action(metadata=metadata, status=paused)
            assert listed_action(action, RUN).is_event is False
        else:
            assert (
                listed_action(run_definition_pb2.Action(metadata=metadata), RUN).is_event is False
            )


def test_an_empty_action_is_converted_without_an_error() -> None:
    row = listed_action(run_definition_pb2.Action(), RUN)
    assert row == ListedAction(
        run=RUN,
        action_name="",
        phase="UNSPECIFIED",
        ended=False,
        is_event=None,
        name=None,
        expected_type=None,
        parent=None,
        group=None,
        created_at=None,
        ended_at=None,
        listed_at=row.listed_at,
    )
    assert row.sort_key == (0.0, "")


@pytest.mark.parametrize("member", ["id", "metadata", "status"])
def test_every_part_of_a_listed_action_may_be_missing(member: str) -> None:
    row = listed_action(make_action(**{member: None}), RUN)
    assert row.action_name == ("" if member == "id" else "e1")
    assert row.name == (None if member == "metadata" else "approve")
    assert row.is_event  # by its kind, or since nothing else is paused
    assert row.created_at == (None if member == "status" else CREATED_SECOND)


@pytest.mark.parametrize(
    ("metadata", "phase", "is_event", "name"),
    [
        ({"condition": {"name": "a"}}, 1, True, "a"),
        ({"condition": {}, "funtion_name": "f"}, 1, True, "f"),
        ({"condition": {}}, 1, True, None),
        ({"condition": {"type": {"simple": types_pb2.STRING}}}, 1, True, ""),
        ({"action_type": CONDITION, "funtion_name": "f"}, 5, True, "f"),
        ({"task": {}, "funtion_name": "f"}, 4, False, None),
        ({"trace": {"name": "t"}}, 4, False, None),
        ({"task": {}, "action_type": CONDITION}, 4, False, None),
        ({"action_type": run_definition_pb2.ACTION_TYPE_TASK}, 4, False, None),
        ({"action_type": run_definition_pb2.ACTION_TYPE_TRACE}, 4, False, None),
        ({"action_type": 77, "funtion_name": "f"}, 4, None, None),
        ({"funtion_name": "f"}, 9, True, "f"),
        ({"funtion_name": "f"}, 4, None, None),
        ({}, 9, True, None),
        ({}, 5, None, None),
    ],
)
def test_a_listed_action_is_a_condition_a_task_or_unknown(
    metadata: Any, phase: int, is_event: bool | None, name: str | None
) -> None:
    row = listed_action(make_action(metadata=metadata, status={"phase": phase}), RUN)
    assert (row.is_event, row.name) == (is_event, name)
    assert row.sort_key == (0.0, "e1")


def test_listed_actions_are_sorted_by_second_and_then_by_id() -> None:
    def sort_key(name: str, start: datetime | None) -> tuple[float, str]:
        status = {"start_time": start} if start else {}
        return listed_action(make_action(id={"name": name}, status=status), RUN).sort_key

    later = CREATED + timedelta(microseconds=1)
    assert sort_key("b", CREATED) > sort_key("a", later) > sort_key("z", None)
    assert sort_key("a", CREATED + timedelta(seconds=1)) > sort_key("b", CREATED)
