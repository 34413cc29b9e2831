"""Payloads to and from Flyte's messages, without any change of type."""

from __future__ import annotations

from flyteidl2.core import literals_pb2
from flyteidl2.workflow import run_service_pb2

from flyte_sidecar.events.model import ExpectedType, Payload
from flyte_sidecar.events.payloads import type_of

_FIELDS: dict[ExpectedType, str] = {
    "bool": "bool_value",
    "int": "int_value",
    "float": "float_value",
    "str": "string_value",
}


def to_event_payload(payload: Payload) -> run_service_pb2.EventPayload:
    """Return the payload as a parameter of `SignalEvent`."""
    message = run_service_pb2.EventPayload()
    setattr(message, _FIELDS[type_of(payload)], payload)
    return message


def from_literal(literal: literals_pb2.Literal) -> Payload | None:
    """Return the payload in a literal; None if its type is no payload type."""
    primitive = literal.scalar.primitive
    field = primitive.WhichOneof("value")
    if field not in ("boolean", "integer", "float_value", "string_value"):
        return None
    payload: Payload = getattr(primitive, field)
    return payload
