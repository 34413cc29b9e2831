"""Generated and damaged messages: each is converted to a valid event or rejected."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from flyteidl2.common import identity_pb2
from flyteidl2.core import literals_pb2, types_pb2
from flyteidl2.workflow import run_definition_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.rpc.event_conversion import (
    event_from_details,
    event_from_listing,
    event_to_action,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import listed_action
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.events.model import Event
from flyte_sidecar.protocol.results import encode
from tests.backends.flyte.flyte_messages import RUN, URL, make_details

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
    lambda result, **more: make_details(**result, **more),
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
