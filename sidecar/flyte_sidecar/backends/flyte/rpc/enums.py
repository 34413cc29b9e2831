"""Flyte's enumerations of phases and types, as names."""

from __future__ import annotations

from typing import cast

from flyteidl2.common import phase_pb2
from flyteidl2.core import types_pb2

from flyte_sidecar.events.model import ABORTED, SUCCEEDED, TIMED_OUT, ExpectedType

UNKNOWN = "UNKNOWN_"
"""The prefix of the names of phases that are not known here; their number follows."""

FINAL = frozenset({SUCCEEDED, ABORTED, TIMED_OUT, "FAILED", "RECOVERED"})
"""The phases that never change."""

_PREFIX = "ACTION_PHASE_"
_PHASES: dict[int, str] = {
    10: "RECOVERED",  # not in every release of flyteidl2
    **{number: name.removeprefix(_PREFIX) for name, number in phase_pb2.ActionPhase.items()},
}
_PHASE_NUMBERS: dict[str, int] = {phase: number for number, phase in _PHASES.items()}
_TYPES: dict[ExpectedType, types_pb2.SimpleType] = {
    "bool": types_pb2.BOOLEAN,
    "int": types_pb2.INTEGER,
    "float": types_pb2.FLOAT,
    "str": types_pb2.STRING,
}
_TYPE_NAMES: dict[int, ExpectedType] = {int(simple): name for name, simple in _TYPES.items()}


def phase_name(number: int) -> str:
    """Return the name of a phase; ``UNKNOWN_<n>`` for an unknown number."""
    return _PHASES.get(int(number), f"{UNKNOWN}{int(number)}")


def phase_number(phase: str) -> phase_pb2.ActionPhase:
    """Return the number of a phase; 0 (unspecified) if Flyte has no such phase."""
    digits = phase.removeprefix(UNKNOWN)
    if digits != phase and digits.isascii() and digits.isdigit() and len(digits) <= 9:
        number = int(digits)
    else:
        number = _PHASE_NUMBERS.get(phase, 0)
    return cast("phase_pb2.ActionPhase", number)


def declared_type(declared: types_pb2.LiteralType) -> ExpectedType | None:
    """Return the payload type that a literal type declares; None if it is no payload type."""
    return _TYPE_NAMES.get(declared.simple) if declared.HasField("simple") else None


def type_from_name(simple: str) -> ExpectedType | None:
    """Return the payload type for Flyte's name of it, such as ``INTEGER`` in error messages."""
    numbers = types_pb2.SimpleType.items()
    return next((_TYPE_NAMES.get(number) for name, number in numbers if name == simple), None)


def simple_type(expected: ExpectedType) -> types_pb2.SimpleType:
    """Return Flyte's type for a payload type."""
    return _TYPES[expected]
