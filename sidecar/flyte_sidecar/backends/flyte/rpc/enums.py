"""Flyte's words for phases, types and payloads."""

from __future__ import annotations

from typing import cast

from flyteidl2.common import phase_pb2
from flyteidl2.core import literals_pb2, types_pb2
from flyteidl2.workflow import run_service_pb2

from flyte_sidecar.events.model import ABORTED, SUCCEEDED, TIMED_OUT, ExpectedType, Payload
from flyte_sidecar.events.payloads import type_of

UNKNOWN = "UNKNOWN_"
"""What the name of a phase begins with that is not known here."""

FINAL = frozenset({SUCCEEDED, ABORTED, TIMED_OUT, "FAILED", "RECOVERED"})
"""The phases after which nothing happens any more."""

_PREFIX = "ACTION_PHASE_"
_PHASES: dict[int, str] = {
    10: "RECOVERED",  # not in every release of flyteidl2
    **{number: name.removeprefix(_PREFIX) for name, number in phase_pb2.ActionPhase.items()},
}
_NUMBERS: dict[str, int] = {phase: number for number, phase in _PHASES.items()}
_TYPES: dict[ExpectedType, types_pb2.SimpleType] = {
    "bool": types_pb2.BOOLEAN,
    "int": types_pb2.INTEGER,
    "float": types_pb2.FLOAT,
    "str": types_pb2.STRING,
}
_TYPE_NAMES: dict[int, ExpectedType] = {int(simple): name for name, simple in _TYPES.items()}
_MEMBERS: dict[ExpectedType, str] = {
    "bool": "bool_value",
    "int": "int_value",
    "float": "float_value",
    "str": "string_value",
}


def phase_name(number: int) -> str:
    """Name a phase; a number that is not known here gives ``UNKNOWN_<n>``."""
    return _PHASES.get(int(number), f"{UNKNOWN}{int(number)}")


def phase_number(phase: str) -> phase_pb2.ActionPhase:
    """Give the number of a phase, unspecified where the word is none of Flyte's."""
    digits = phase.removeprefix(UNKNOWN)
    if digits != phase and digits.isascii() and digits.isdigit() and len(digits) <= 9:
        number = int(digits)
    else:
        number = _NUMBERS.get(phase, 0)
    return cast("phase_pb2.ActionPhase", number)


def type_name(declared: types_pb2.LiteralType) -> ExpectedType | None:
    """Name the type of payload that a declared type stands for, None where it is none."""
    return _TYPE_NAMES.get(declared.simple) if declared.HasField("simple") else None


def type_named(simple: str) -> ExpectedType | None:
    """Give the type that Flyte calls so, as in its messages: ``INTEGER``."""
    known = types_pb2.SimpleType.items()
    return next((_TYPE_NAMES.get(number) for name, number in known if name == simple), None)


def simple_type(expected: ExpectedType) -> types_pb2.SimpleType:
    """Give Flyte's type for one that an event takes."""
    return _TYPES[expected]


def to_event_payload(payload: Payload) -> run_service_pb2.EventPayload:
    """Give the payload as `SignalEvent` takes it: exactly of its type."""
    made = run_service_pb2.EventPayload()
    setattr(made, _MEMBERS[type_of(payload)], payload)
    return made


def from_literal(literal: literals_pb2.Literal) -> Payload | None:
    """Give the payload that a literal holds, None where it is of no type that an event takes."""
    primitive = literal.scalar.primitive
    member = primitive.WhichOneof("value")
    if member not in ("boolean", "integer", "float_value", "string_value"):
        return None
    payload: Payload = getattr(primitive, member)
    return payload
