"""Events to and from the messages of Flyte's RunService."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from flyteidl2.core import types_pb2
from flyteidl2.workflow import run_definition_pb2
from google.protobuf import json_format

from flyte_sidecar.backends.flyte.rpc.event_conversion import (
    action_expected_type,
    action_phase,
    event_from_details,
    event_from_listing,
    event_to_action,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import listed_action
from flyte_sidecar.events.model import Event, Run
from flyte_sidecar.events.payloads import same, type_of
from tests.backends.flyte.flyte_messages import (
    CONDITION,
    CREATED,
    CREATED_SECOND,
    ENDED,
    PAYLOADS,
    RUN,
    URL,
    event_of,
    every_phase,
    make_action,
    make_details,
    make_event,
    signalled,
)


def test_an_event_is_converted_to_the_action_that_flyte_lists() -> None:
    action = event_to_action(make_event(org="acme", group="g", phase="SUCCEEDED", ended_at=ENDED))
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


def test_unknown_members_of_an_event_are_omitted_from_its_action() -> None:
    action = event_to_action(
        make_event(project=None, domain=None, parent=None, expected_type=None, created_at=None)
    )
    assert json_format.MessageToDict(action) == {
        "id": {"run": {"name": "r1"}, "name": "e1"},
        "metadata": {"actionType": "ACTION_TYPE_CONDITION", "condition": {"name": "approve"}},
        "status": {"phase": "ACTION_PHASE_PAUSED"},
    }


def test_reading_an_action_does_not_change_it() -> None:
    action = run_definition_pb2.Action(metadata={"task": {}})
    before = action.SerializeToString()
    action_expected_type(action)
    action_phase(action)
    assert action.SerializeToString() == before
    assert action.metadata.WhichOneof("spec") == "task"


def test_names_may_contain_any_character() -> None:
    name = "Genehmigt? \N{SNOWMAN} \N{GRINNING FACE} \0 \u202e"
    action = event_to_action(make_event(name=name, parent=name, run_name=name))
    assert action.metadata.condition.name == name
    assert action.metadata.parent == name
    assert action.id.run.name == name


def test_details_contain_everything_about_an_event() -> None:
    assert event_of() == Event(
        name="approve",
        action_name="e1",
        run_name="r1",
        org="acme",
        project="local",
        domain="development",
        parent="a0",
        group="g",
        phase="PAUSED",
        pending=True,
        expected_type="bool",
        prompt="Deploy?",
        prompt_type="markdown",
        description="to production",
        created_at=CREATED_SECOND,
        ended_at=None,
        expires_at=CREATED_SECOND + timedelta(minutes=5),
        payload=None,
        signalled_by=None,
        abort_reason=None,
        url=URL,
        partial=False,
    )


def test_a_listed_action_is_converted_to_a_partial_event() -> None:
    row = listed_action(
        make_action(status={"phase": 7, "start_time": CREATED, "end_time": ENDED}), RUN
    )
    assert event_from_listing(row, URL) == Event(
        name="approve",
        action_name="e1",
        run_name="r1",
        org="acme",
        project="local",
        domain="development",
        parent="a0",
        group="g",
        phase="ABORTED",
        pending=False,
        expected_type="bool",
        prompt=None,
        prompt_type=None,
        description=None,
        created_at=CREATED_SECOND,
        ended_at=ENDED,
        expires_at=None,
        payload=None,
        signalled_by=None,
        abort_reason=None,
        url=URL,
        partial=True,
    )


def test_empty_details_are_no_event() -> None:
    assert event_from_details(run_definition_pb2.ActionDetails(), RUN, URL) is None


def test_details_with_only_an_action_type_are_an_event_with_unknown_members() -> None:
    bare = run_definition_pb2.ActionDetails(metadata={"action_type": CONDITION})
    event = event_from_details(bare, Run(None, None, None, "r1"), None)
    assert event is not None
    known = {"run_name": "r1", "phase": "UNSPECIFIED", "pending": True, "partial": False}
    empty = {"name": "", "action_name": ""}
    unknown = dict.fromkeys(event.__struct_fields__)
    assert msgspec.structs.asdict(event) == {**unknown, **known, **empty}


@pytest.mark.parametrize("member", ["id", "metadata", "status", "condition"])
def test_every_part_of_details_may_be_missing(member: str) -> None:
    event = event_of(**{member: None})
    assert event.action_name == ("" if member == "id" else "e1")
    assert event.parent == (None if member == "metadata" else "a0")
    assert event.group == (None if member == "metadata" else "g")
    assert event.phase == ("UNSPECIFIED" if member == "status" else "PAUSED")
    assert event.pending
    assert event.created_at == (None if member == "status" else CREATED_SECOND)
    assert event.prompt == (None if member == "condition" else "Deploy?")
    assert event.expected_type == (None if member == "condition" else "bool")
    assert (event.expires_at is None) == (member in ("status", "condition"))


@pytest.mark.parametrize(
    ("condition", "metadata", "name"),
    [
        ({"name": "a"}, {"condition": {"name": "b"}, "funtion_name": "c"}, "a"),
        ({}, {"condition": {"name": "b"}, "funtion_name": "c"}, "b"),
        ({}, {"condition": {}, "funtion_name": "c"}, "c"),
        ({}, {}, ""),
        ({"type": {"simple": types_pb2.STRING}}, {"condition": {}}, ""),
    ],
)
def test_the_name_may_be_in_any_of_three_fields(condition: Any, metadata: Any, name: str) -> None:
    assert event_of(condition=condition, metadata=metadata).name == name


def test_the_type_may_be_declared_only_in_the_metadata() -> None:
    metadata = {"condition": {"type": {"simple": types_pb2.FLOAT}}}
    assert event_of(metadata=metadata, condition={"name": "a"}).expected_type == "float"
    both = {"name": "a", "type": {"simple": types_pb2.INTEGER}}
    assert event_of(metadata=metadata, condition=both).expected_type == "int"


@pytest.mark.parametrize(
    "members",
    [
        {"task": {}},
        {"trace": {}},
        {"metadata": {"task": {}}},
        {"metadata": {"action_type": run_definition_pb2.ACTION_TYPE_TASK}},
        {"metadata": {"action_type": 77}},
        {"abort_info": {"reason": "why"}},
    ],
)
def test_details_of_other_actions_are_no_event(members: Any) -> None:
    bare = {"metadata": None, "condition": None, "status": {"phase": 4}}
    assert event_from_details(make_details(**{**bare, **members}), RUN, URL) is None


@pytest.mark.parametrize(
    ("number", "prompt_type"), [(0, None), (1, "text"), (2, "markdown"), (3, None), (-1, None)]
)
def test_an_unknown_prompt_type_is_ignored(number: int, prompt_type: str | None) -> None:
    assert event_of(condition={"prompt_type": number}).prompt_type == prompt_type


def test_an_event_that_timed_out_ended_at_its_deadline() -> None:
    status = {"phase": 8, "start_time": CREATED, "end_time": CREATED + timedelta(minutes=7)}
    event = event_of(status=status)
    assert (event.phase, event.pending) == ("TIMED_OUT", False)
    assert event.ended_at == event.expires_at == CREATED_SECOND + timedelta(minutes=5)
    without = event_of(status=status, condition={"name": "approve"})
    assert (without.ended_at, without.expires_at) == (CREATED + timedelta(minutes=7), None)


@every_phase
@pytest.mark.parametrize("payload", PAYLOADS, ids=repr)
def test_an_answered_event_is_resolved_in_any_phase(number: int, payload: Any) -> None:
    event = event_of(status={"phase": number}, signal=signalled(payload))
    assert (event.phase, event.pending, event.partial) == ("SUCCEEDED", False, False)
    assert same(event.payload, payload)
    assert event.abort_reason is None


def test_an_answer_may_be_reported_before_the_end_time() -> None:
    event = event_of(signal=signalled(True))
    assert (event.phase, event.payload, event.ended_at) == ("SUCCEEDED", True, None)
    later = event_of(
        signal=signalled(True), status={"phase": 5, "start_time": CREATED, "end_time": ENDED}
    )
    assert later.ended_at == ENDED


def test_the_deadline_is_not_the_end_of_an_answered_event() -> None:
    event = event_of(signal=signalled(True), status={"phase": 8, "start_time": CREATED})
    assert (event.phase, event.ended_at) == ("SUCCEEDED", None)


@pytest.mark.parametrize("payload", PAYLOADS, ids=repr)
def test_an_undeclared_type_is_taken_from_the_answer(payload: Any) -> None:
    event = event_of(condition={"name": "approve"}, signal=signalled(payload))
    assert event.expected_type == type_of(payload)
    declared = {"name": "approve", "type": {"simple": types_pb2.STRING}}
    assert event_of(condition=declared, signal=signalled(payload)).expected_type == "str"


@pytest.mark.parametrize(
    ("by", "subject"),
    [
        (None, None),
        ({}, None),
        ({"user": {}}, None),
        ({"user": {"id": {"subject": ""}}}, None),
        ({"user": {"id": {"subject": "amelie"}}}, "amelie"),
        ({"application": {}}, None),
        ({"application": {"id": {"subject": "robot"}}}, "robot"),
    ],
)
def test_an_event_is_signalled_by_a_user_or_an_application(by: Any, subject: str | None) -> None:
    assert event_of(signal=signalled(True, by)).signalled_by == subject


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (None, None),
        ({}, None),
        ({"reason": ""}, None),
        ({"reason": "User requested abort"}, None),
        ({"reason": "no longer needed"}, "no longer needed"),
        ({"reason": " "}, " "),
    ],
)
def test_the_backend_s_default_reason_of_an_abort_is_ignored(info: Any, reason: str | None) -> None:
    status = {"phase": 7, "start_time": CREATED, "end_time": ENDED}
    event = event_of(status=status, abort_info=info)
    assert (event.phase, event.pending, event.ended_at) == ("ABORTED", False, ENDED)
    assert event.abort_reason == reason
    assert event.payload is None
    assert event.signalled_by is None


def test_only_an_aborted_event_has_a_reason() -> None:
    assert event_of(status={"phase": 6}, abort_info={"reason": "why"}).abort_reason is None


def test_a_failed_event_has_no_payload() -> None:
    event = event_of(status={"phase": 6, "end_time": ENDED}, error_info={"message": "oh no"})
    assert (event.phase, event.pending, event.payload) == ("FAILED", False, None)


def test_an_answer_without_a_value_resolves_an_event() -> None:
    event = event_of(signal={})
    assert (event.phase, event.pending, event.payload) == ("SUCCEEDED", False, None)
    assert event.signalled_by is None


def test_reading_details_does_not_change_them() -> None:
    for message in (make_details(), make_details(condition=None), make_details(signal={})):
        before = message.SerializeToString(deterministic=True)
        event_from_details(message, RUN, URL)
        assert message.SerializeToString(deterministic=True) == before
