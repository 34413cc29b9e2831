"""Phases and types of Flyte, by name."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl2.common import phase_pb2
from flyteidl2.core import types_pb2
from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.rpc.enums import type_from_name
from flyte_sidecar.backends.flyte.rpc.event_conversion import (
    action_expected_type,
    action_phase,
    event_from_listing,
    event_to_action,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import listed_action
from tests.backends.flyte.flyte_messages import (
    CREATED,
    ENDED,
    FINAL,
    PHASES,
    RUN,
    event_of,
    every_phase,
    make_action,
    make_event,
)


@pytest.mark.parametrize("number", phase_pb2.ActionPhase.values())
def test_every_phase_of_flyte_is_preserved_in_both_directions(number: int) -> None:
    phase = phase_pb2.ActionPhase.Name(number).removeprefix("ACTION_PHASE_")
    action = event_to_action(make_event(phase=phase))
    assert action.status.phase == number
    assert action_phase(action) == phase


@pytest.mark.parametrize("number", [11, 57, 999_999_999])
def test_an_unknown_phase_keeps_its_number(number: int) -> None:
    action = run_definition_pb2.Action.FromString(
        run_definition_pb2.Action(status={"phase": number}).SerializeToString()
    )
    assert action_phase(action) == f"UNKNOWN_{number}"
    assert event_to_action(make_event(phase=f"UNKNOWN_{number}")).status.phase == number


@pytest.mark.parametrize("phase", ["", "UNKNOWN_", "UNKNOWN_x", "UNKNOWN_99999999999", "paused"])
def test_an_invalid_phase_is_converted_to_unspecified(phase: str) -> None:
    assert action_phase(event_to_action(make_event(phase=phase))) == "UNSPECIFIED"


@pytest.mark.parametrize("declared", ["bool", "int", "float", "str", None])
def test_the_declared_type_is_preserved_in_both_directions(declared: Any) -> None:
    assert action_expected_type(event_to_action(make_event(expected_type=declared))) == declared


def test_a_type_that_is_no_payload_type_is_ignored() -> None:
    action = run_definition_pb2.Action()
    assert action_expected_type(action) is None
    action.metadata.condition.type.simple = types_pb2.DATETIME
    assert action_expected_type(action) is None
    action.metadata.condition.type.blob.format = "png"
    assert action_expected_type(action) is None
    assert action_expected_type(run_definition_pb2.Action(metadata={"task": {}})) is None


@every_phase
def test_the_phase_determines_the_end_in_listings_and_details(number: int) -> None:
    status = {"phase": number, "start_time": CREATED, "end_time": ENDED}
    condition = {"name": "approve"}
    for event in (
        event_from_listing(listed_action(make_action(status=status), RUN), None),
        event_of(status=status, condition=condition),
    ):
        assert event.phase == PHASES[number]
        assert event.pending is (PHASES[number] not in FINAL)
        assert event.ended_at == (None if event.pending else ENDED)


@pytest.mark.parametrize("number", [11, 2**31 - 1, -1, -(2**31)])
def test_the_end_time_determines_whether_an_unknown_phase_is_final(number: int) -> None:
    for end, pending in ({}, True), ({"end_time": ENDED}, False):
        status = {"phase": number, **end}
        listed = event_from_listing(listed_action(make_action(status=status), RUN), None)
        assert (listed.phase, listed.pending) == (f"UNKNOWN_{number}", pending)
        event = event_of(status=status)
        assert (event.phase, event.pending) == (f"UNKNOWN_{number}", pending)
        assert event.ended_at == listed.ended_at == end.get("end_time")


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
