"""Builders of Flyte's messages and of the events in them, for the tests of conversions."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flyteidl2.common import identity_pb2, phase_pb2
from flyteidl2.core import literals_pb2, types_pb2
from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.rpc.event_conversion import event_from_details
from flyte_sidecar.events.model import Event, Run
from tests.events import watch_updates
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


def make_event(**members: Any) -> Event:
    defaults = {
        "name": "approve",
        "action_name": "e1",
        "expected_type": "bool",
        "created_at": CREATED,
    }
    return watch_updates.event(**{**defaults, **members})


def make_action(**members: Any) -> run_definition_pb2.Action:
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


def make_details(signal: Signal | None = None, **members: Any) -> run_definition_pb2.ActionDetails:
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
    event = event_from_details(make_details(**members), RUN, URL)
    assert event is not None
    return event


def signalled(value: Any, by: Any = None) -> Signal:
    identity = None if by is None else identity_pb2.EnrichedIdentity(**by)
    return {"output": literal(value), "by": identity}


def literal(value: Any) -> literals_pb2.Literal:
    members = {bool: "boolean", int: "integer", float: "float_value", str: "string_value"}
    return literals_pb2.Literal(scalar={"primitive": {members[type(value)]: value}})
