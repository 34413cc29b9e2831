"""Events to and from the messages of Flyte's RunService."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from flyteidl2.common import identity_pb2, phase_pb2
from flyteidl2.core import literals_pb2, types_pb2
from flyteidl2.workflow import run_definition_pb2, run_service_pb2
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.rpc.enums import type_from_name
from flyte_sidecar.backends.flyte.rpc.event_conversion import (
    action_expected_type,
    action_phase,
    event_from_details,
    event_from_listing,
    event_to_action,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction, listed_action
from flyte_sidecar.backends.flyte.rpc.payload_conversion import from_literal, to_event_payload
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.events.model import Event, Run
from flyte_sidecar.events.payloads import same, type_of
from flyte_sidecar.protocol.results import encode
from tests.events import states
from tests.fake_runservice import idl

CREATED = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
CREATED_SECOND = CREATED.replace(microsecond=0)
ENDED = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
RUN = Run("acme", "local", "development", "r1")
URL = "https://flyte.example.com/v2/runs/r1"

CONDITION = run_definition_pb2.ACTION_TYPE_CONDITION
PHASES = {
    number: name.removeprefix("ACTION_PHASE_") for name, number in phase_pb2.ActionPhase.items()
}
FINAL = {"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED"}
every_phase = pytest.mark.parametrize("number", PHASES, ids=PHASES.__getitem__)

PAYLOADS = [
    True,
    False,
    0,
    1,
    -1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    0.0,
    -0.0,
    3.0,
    0.1,
    5e-324,
    1.7976931348623157e308,
    math.inf,
    -math.inf,
    math.nan,
    "",
    "true",
    "ü \N{SNOWMAN} \N{GRINNING FACE} \0 \u202e",
]


def event(**members: Any) -> Event:
    defaults = {
        "name": "approve",
        "action_name": "e1",
        "expected_type": "bool",
        "created_at": CREATED,
    }
    return states.event(**{**defaults, **members})


def test_an_event_is_converted_to_the_action_that_flyte_lists() -> None:
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


def test_unknown_members_of_an_event_are_omitted_from_its_action() -> None:
    action = event_to_action(
        event(project=None, domain=None, parent=None, expected_type=None, created_at=None)
    )
    assert json_format.MessageToDict(action) == {
        "id": {"run": {"name": "r1"}, "name": "e1"},
        "metadata": {"actionType": "ACTION_TYPE_CONDITION", "condition": {"name": "approve"}},
        "status": {"phase": "ACTION_PHASE_PAUSED"},
    }


@pytest.mark.parametrize("number", phase_pb2.ActionPhase.values())
def test_every_phase_of_flyte_is_preserved_in_both_directions(number: int) -> None:
    phase = phase_pb2.ActionPhase.Name(number).removeprefix("ACTION_PHASE_")
    action = event_to_action(event(phase=phase))
    assert action.status.phase == number
    assert action_phase(action) == phase


@pytest.mark.parametrize("number", [11, 57, 999_999_999])
def test_an_unknown_phase_keeps_its_number(number: int) -> None:
    action = run_definition_pb2.Action.FromString(
        run_definition_pb2.Action(status={"phase": number}).SerializeToString()
    )
    assert action_phase(action) == f"UNKNOWN_{number}"
    assert event_to_action(event(phase=f"UNKNOWN_{number}")).status.phase == number


@pytest.mark.parametrize("phase", ["", "UNKNOWN_", "UNKNOWN_x", "UNKNOWN_99999999999", "paused"])
def test_an_invalid_phase_is_converted_to_unspecified(phase: str) -> None:
    assert action_phase(event_to_action(event(phase=phase))) == "UNSPECIFIED"


@pytest.mark.parametrize("declared", ["bool", "int", "float", "str", None])
def test_the_declared_type_is_preserved_in_both_directions(declared: Any) -> None:
    assert action_expected_type(event_to_action(event(expected_type=declared))) == declared


def test_a_type_that_is_no_payload_type_is_ignored() -> None:
    action = run_definition_pb2.Action()
    assert action_expected_type(action) is None
    action.metadata.condition.type.simple = types_pb2.DATETIME
    assert action_expected_type(action) is None
    action.metadata.condition.type.blob.format = "png"
    assert action_expected_type(action) is None
    assert action_expected_type(run_definition_pb2.Action(metadata={"task": {}})) is None


def test_reading_an_action_does_not_change_it() -> None:
    action = run_definition_pb2.Action(metadata={"task": {}})
    before = action.SerializeToString()
    action_expected_type(action)
    action_phase(action)
    assert action.SerializeToString() == before
    assert action.metadata.WhichOneof("spec") == "task"


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


def test_names_may_contain_any_character() -> None:
    name = "Genehmigt? \N{SNOWMAN} \N{GRINNING FACE} \0 \u202e"
    action = event_to_action(event(name=name, parent=name, run_name=name))
    assert action.metadata.condition.name == name
    assert action.metadata.parent == name
    assert action.id.run.name == name


def test_timestamps_keep_their_microseconds_in_any_year() -> None:
    for instant in (
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ):
        action = event_to_action(event(created_at=instant))
        assert action.status.start_time.ToDatetime(UTC) == instant


def action(**members: Any) -> run_definition_pb2.Action:
    """Return a condition as a watch reports it; members that are None are omitted."""
    defaults: dict[str, Any] = {
        "id": {"name": "e1", "run": {"name": "r1"}},
        "metadata": {
            "parent": "a0",
            "group": "g",
            "action_type": CONDITION,
            "funtion_name": "approve",
            "condition": {"name": "approve", "type": {"simple": types_pb2.BOOLEAN}},
        },
        "status": {"phase": 9, "start_time": CREATED},
    }
    return run_definition_pb2.Action(**{**defaults, **members})


Signal = dict[str, Any]
"""The arguments of `set_signal_info`."""


def details(signal: Signal | None = None, **members: Any) -> run_definition_pb2.ActionDetails:
    """Return a condition's details; members that are None are omitted."""
    defaults: dict[str, Any] = {
        "id": {"name": "e1", "run": {"name": "r1"}},
        "metadata": {"parent": "a0", "group": "g", "action_type": CONDITION},
        "status": {"phase": 9, "start_time": CREATED},
        "condition": {
            "name": "approve",
            "type": {"simple": types_pb2.BOOLEAN},
            "prompt": "Deploy?",
            "prompt_type": run_definition_pb2.CONDITION_PROMPT_TYPE_MARKDOWN,
            "description": "to production",
            "timeout": timedelta(minutes=5),
        },
    }
    made = run_definition_pb2.ActionDetails(**{**defaults, **members})
    if signal is not None:
        idl.set_signal_info(made, **signal)
    return made


def event_of(**members: Any) -> Event:
    """Return the event in a condition's details."""
    event = event_from_details(details(**members), RUN, URL)
    assert event is not None
    return event


def signalled(value: Any, by: Any = None) -> Signal:
    identity = None if by is None else identity_pb2.EnrichedIdentity(**by)
    return {"output": literal(value), "by": identity}


def literal(value: Any) -> literals_pb2.Literal:
    members = {bool: "boolean", int: "integer", float: "float_value", str: "string_value"}
    return literals_pb2.Literal(scalar={"primitive": {members[type(value)]: value}})


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
    row = listed_action(action(status={"phase": 7, "start_time": CREATED, "end_time": ENDED}), RUN)
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


@pytest.mark.parametrize("member", ["id", "metadata", "status"])
def test_every_part_of_a_listed_action_may_be_missing(member: str) -> None:
    row = listed_action(action(**{member: None}), RUN)
    assert row.action_name == ("" if member == "id" else "e1")
    assert row.name == (None if member == "metadata" else "approve")
    assert row.is_event  # by its kind, or since nothing else is paused
    assert row.created_at == (None if member == "status" else CREATED_SECOND)


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
    row = listed_action(action(metadata=metadata, status={"phase": phase}), RUN)
    assert (row.is_event, row.name) == (is_event, name)
    assert row.sort_key == (0.0, "e1")


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
    assert event_from_details(details(**{**bare, **members}), RUN, URL) is None


def test_listed_actions_are_sorted_by_second_and_then_by_id() -> None:
    def sort_key(name: str, start: datetime | None) -> tuple[float, str]:
        status = {"start_time": start} if start else {}
        return listed_action(action(id={"name": name}, status=status), RUN).sort_key

    later = CREATED + timedelta(microseconds=1)
    assert sort_key("b", CREATED) > sort_key("a", later) > sort_key("z", None)
    assert sort_key("a", CREATED + timedelta(seconds=1)) > sort_key("b", CREATED)


@every_phase
def test_the_phase_determines_the_end_in_listings_and_details(number: int) -> None:
    status = {"phase": number, "start_time": CREATED, "end_time": ENDED}
    condition = {"name": "approve"}
    for event in (
        event_from_listing(listed_action(action(status=status), RUN), None),
        event_of(status=status, condition=condition),
    ):
        assert event.phase == PHASES[number]
        assert event.pending is (PHASES[number] not in FINAL)
        assert event.ended_at == (None if event.pending else ENDED)


@pytest.mark.parametrize("number", [11, 2**31 - 1, -1, -(2**31)])
def test_the_end_time_determines_whether_an_unknown_phase_is_final(number: int) -> None:
    for end, pending in ({}, True), ({"end_time": ENDED}, False):
        status = {"phase": number, **end}
        listed = event_from_listing(listed_action(action(status=status), RUN), None)
        assert (listed.phase, listed.pending) == (f"UNKNOWN_{number}", pending)
        event = event_of(status=status)
        assert (event.phase, event.pending) == (f"UNKNOWN_{number}", pending)
        assert event.ended_at == listed.ended_at == end.get("end_time")


@pytest.mark.parametrize(
    ("number", "prompt_type"), [(0, None), (1, "text"), (2, "markdown"), (3, None), (-1, None)]
)
def test_an_unknown_prompt_type_is_ignored(number: int, prompt_type: str | None) -> None:
    assert event_of(condition={"prompt_type": number}).prompt_type == prompt_type


@pytest.mark.parametrize("seconds", [0, 2**63 - 1, -(2**63), 253402300800, -62135596801])
@pytest.mark.parametrize("nanos", [0, 999_999_999])
def test_a_timestamp_that_is_unset_or_out_of_range_is_ignored(seconds: int, nanos: int) -> None:
    status = {
        "phase": 5,
        "start_time": {"seconds": seconds, "nanos": nanos},
        "end_time": {"seconds": seconds, "nanos": nanos},
    }
    for event in (
        event_from_listing(listed_action(action(status=status), RUN), None),
        event_of(status=status),
    ):
        assert (event.created_at, event.ended_at, event.expires_at) == (None, None, None)
        assert not event.pending


@pytest.mark.parametrize("nanos", [-1, -(2**31), 10**9, 2**31 - 1])
def test_nanoseconds_out_of_range_are_no_error(nanos: int) -> None:
    start = {"seconds": 1, "nanos": nanos}
    event = event_of(status={"phase": 9, "start_time": start}, condition={"timeout": start})
    encode(event)


def test_the_first_and_the_last_second_in_range_are_converted() -> None:
    for year, seconds in (1, -62135596800), (9999, 253402300799):
        status = {"phase": 9, "start_time": {"seconds": seconds}}
        created_at = event_of(status=status).created_at
        assert created_at is not None
        assert created_at.year == year
        assert b"T" in encode(event_of(status=status))


@pytest.mark.parametrize(
    ("seconds", "nanos", "expires"),
    [
        (0, 0, None),
        (1, 0, timedelta(seconds=1)),
        (90, 500_000_000, timedelta(seconds=90.5)),
        (0, 1_000, timedelta(microseconds=1)),
        (10**9, 0, timedelta(seconds=10**9)),
        (10**12, 0, None),
        (2**63 - 1, 999_999_999, None),
        (-1, 0, None),
        (0, -1_000, None),
        (-(2**63), -999_999_999, None),
    ],
)
def test_the_deadline_counts_from_the_second_of_creation(
    seconds: int, nanos: int, expires: timedelta | None
) -> None:
    event = event_of(condition={"timeout": {"seconds": seconds, "nanos": nanos}})
    assert event.expires_at == (None if expires is None else CREATED_SECOND + expires)
    assert event.pending


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


@pytest.mark.parametrize("payload", PAYLOADS, ids=repr)
def test_a_payload_is_sent_and_received_unchanged(payload: Any) -> None:
    sent = run_service_pb2.EventPayload.FromString(to_event_payload(payload).SerializeToString())
    ((field, value),) = sent.ListFields()
    assert same(value, payload)
    assert field.name == {bool: "bool_value", int: "int_value", float: "float_value"}.get(
        type(payload), "string_value"
    )
    read = literals_pb2.Literal.FromString(literal(payload).SerializeToString())
    assert same(from_literal(read), payload)
    if isinstance(payload, float):
        assert math.copysign(1, value) == math.copysign(1, payload)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"scalar": {}},
        {"scalar": {"primitive": {}}},
        {"scalar": {"primitive": {"datetime": CREATED}}},
        {"scalar": {"primitive": {"duration": timedelta(1)}}},
        {"scalar": {"none_type": {}}},
        {"scalar": {"binary": {"value": b"x"}}},
        {"scalar": {"union": {}}},
        {"collection": {}},
        {"collection": {"literals": [literal(True)]}},
        {"map": {"literals": {"a": literal(True)}}},
        {"offloaded_metadata": {}},
    ],
    ids=repr,
)
def test_an_answer_of_another_type_resolves_an_event_without_payload(other: Any) -> None:
    kind = literals_pb2.Literal(**other)
    assert from_literal(kind) is None
    event = event_of(condition={"name": "approve"}, signal={"output": kind})
    assert (event.phase, event.pending, event.payload) == ("SUCCEEDED", False, None)
    assert event.expected_type is None


def test_an_answer_without_a_value_resolves_an_event() -> None:
    event = event_of(signal={})
    assert (event.phase, event.pending, event.payload) == ("SUCCEEDED", False, None)
    assert event.signalled_by is None


def test_types_are_recognized_by_their_name_in_flyte_s_messages() -> None:
    assert {name: type_from_name(name) for name in types_pb2.SimpleType.keys()} == {  # noqa: SIM118
        **dict.fromkeys(types_pb2.SimpleType.keys()),
        "BOOLEAN": "bool",
        "INTEGER": "int",
        "FLOAT": "float",
        "STRING": "str",
    }
    for word in ("", "integer", "INT", "NO_SUCH"):
        assert type_from_name(word) is None


def test_reading_details_does_not_change_them() -> None:
    for message in (details(), details(condition=None), details(signal={})):
        before = message.SerializeToString(deterministic=True)
        event_from_details(message, RUN, URL)
        assert message.SerializeToString(deterministic=True) == before


INT32S = st.integers(-(2**31), 2**31 - 1)
INT64S = st.integers(-(2**63), 2**63 - 1)
INSTANTS = st.none() | st.builds(
    Timestamp, seconds=INT64S | st.integers(0, 2**32), nanos=st.just(0) | INT32S
)
TIMEOUTS = st.none() | st.builds(
    Duration, seconds=INT64S | st.integers(-10, 10**6), nanos=st.just(0) | INT32S
)
NAMES = st.just("") | st.text()
KINDS = st.none() | st.builds(types_pb2.LiteralType, simple=st.integers(0, 9) | INT32S)
SUBJECTS = st.fixed_dictionaries({"id": st.fixed_dictionaries({"subject": NAMES})})
IDENTITIES = st.none() | st.one_of(
    st.builds(identity_pb2.EnrichedIdentity),
    st.builds(identity_pb2.EnrichedIdentity, user=SUBJECTS),
    st.builds(identity_pb2.EnrichedIdentity, application=SUBJECTS),
)
PRIMITIVES = st.one_of(
    st.builds(literals_pb2.Primitive),
    st.builds(literals_pb2.Primitive, boolean=st.booleans()),
    st.builds(literals_pb2.Primitive, integer=INT64S),
    st.builds(literals_pb2.Primitive, float_value=st.floats()),
    st.builds(literals_pb2.Primitive, string_value=st.text()),
    st.builds(literals_pb2.Primitive, datetime=INSTANTS),
)
LITERALS = st.none() | st.one_of(
    st.builds(literals_pb2.Literal, scalar=st.builds(literals_pb2.Scalar, primitive=PRIMITIVES)),
    st.builds(literals_pb2.Literal, scalar=st.just({"none_type": {}})),
    st.builds(literals_pb2.Literal, collection=st.just({})),
)
IDENTIFIERS = st.none() | st.fixed_dictionaries({"name": NAMES})
CONDITIONS = st.none() | st.builds(
    run_definition_pb2.ConditionAction,
    name=NAMES,
    type=KINDS,
    prompt=NAMES,
    description=NAMES,
    prompt_type=INT32S | st.integers(0, 2),
    timeout=TIMEOUTS,
)
SPECS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({"task": {}}),
    st.just({"trace": {}}),
    st.fixed_dictionaries({"condition": st.fixed_dictionaries({"name": NAMES, "type": KINDS})}),
)
METADATA = st.none() | st.builds(
    lambda spec, **more: run_definition_pb2.ActionMetadata(**spec, **more),
    SPECS,
    parent=NAMES,
    group=NAMES,
    action_type=st.integers(0, 3) | INT32S,
    funtion_name=NAMES,
)
STATUSES = st.none() | st.builds(
    run_definition_pb2.ActionStatus,
    phase=st.integers(0, 11) | INT32S,
    start_time=INSTANTS,
    end_time=INSTANTS,
)
RESULTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({"error_info": {}}),
    st.fixed_dictionaries({"abort_info": st.fixed_dictionaries({"reason": NAMES})}),
    st.fixed_dictionaries(
        {"signal": st.fixed_dictionaries({"output": LITERALS, "by": IDENTITIES})},
    ),
)
ACTIONS = st.builds(run_definition_pb2.Action, id=IDENTIFIERS, metadata=METADATA, status=STATUSES)
DETAILS = st.builds(
    lambda result, **more: details(**result, **more),
    RESULTS,
    id=IDENTIFIERS,
    metadata=METADATA,
    status=STATUSES,
    condition=CONDITIONS,
)
DAMAGE = st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=3)), max_size=3)


def damaged(message: bytes, damage: list[tuple[int, bytes]]) -> bytes:
    for at, instead in damage:
        message = message[:at] + instead + message[at + 1 :]
    return message


def check(event: Event | None) -> None:
    """Assert that an event is valid and can be encoded."""
    if event is None:
        return
    wire = msgspec.json.decode(encode(event), type=Event)
    assert wire.name == event.name
    assert wire.created_at == event.created_at
    assert msgspec.json.decode(msgspec.json.encode(event))["phase"] == event.phase
    assert not (event.pending and event.ended_at)
    if event.payload is not None:
        assert (event.phase, event.pending) == ("SUCCEEDED", False)
        assert event.expected_type is not None
    event_to_action(event)


@given(DETAILS)
def test_any_details_are_converted_to_a_valid_event_or_none(
    details: run_definition_pb2.ActionDetails,
) -> None:
    event = event_from_details(details, RUN, URL)
    check(event)
    if details.WhichOneof("spec") == "condition":
        assert event is not None


@given(ACTIONS)
def test_any_action_is_converted_to_a_valid_event(
    action: run_definition_pb2.Action,
) -> None:
    row = listed_action(action, RUN)
    assert row.sort_key >= (-1e12, "")
    check(event_from_listing(row, URL))


@given(DETAILS | ACTIONS, DAMAGE)
def test_damaged_messages_are_converted_or_rejected_by_protobuf(
    message: Any, damage: list[tuple[int, bytes]]
) -> None:
    data = damaged(message.SerializeToString(), damage)
    with suppress(DecodeError, RpcError):
        check(event_from_details(run_definition_pb2.ActionDetails.FromString(data), RUN, URL))
    with suppress(DecodeError):
        check(
            event_from_listing(listed_action(run_definition_pb2.Action.FromString(data), RUN), URL)
        )


@given(st.booleans() | INT64S | st.floats() | st.text())
def test_every_answer_is_converted_to_its_payload(payload: Any) -> None:
    read = literals_pb2.Literal.FromString(literal(payload).SerializeToString())
    assert same(from_literal(read), payload)
    assert same(event_of(signal={"output": read}).payload, payload)
    to_event_payload(payload).SerializeToString()
