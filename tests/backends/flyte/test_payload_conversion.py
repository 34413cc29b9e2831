"""Payloads to and from Flyte's messages, without any change of type."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from flyteidl2.core import literals_pb2
from flyteidl2.workflow import run_service_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.rpc.payload_conversion import from_literal, to_event_payload
from flyte_sidecar.events.payloads import same
from tests.backends.flyte.flyte_messages import CREATED, PAYLOADS, event_of, literal


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


@given(st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text())
def test_every_answer_is_converted_to_its_payload(payload: Any) -> None:
    read = literals_pb2.Literal.FromString(literal(payload).SerializeToString())
    assert same(from_literal(read), payload)
    assert same(event_of(signal={"output": read}).payload, payload)
    to_event_payload(payload).SerializeToString()
