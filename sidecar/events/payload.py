"""Payloads keep their type: which value answers which declared type.

JSON has one kind of number and clients in other languages have doubles for all of them, so
a value that arrives is fitted to the declared type exactly, or refused.
"""

from __future__ import annotations

import math
import re

from sidecar.errors import PayloadTypeMismatch
from sidecar.events.model import ExpectedType, Payload

SAFE = 2**53 - 1
"""The largest integer that survives a client whose numbers are doubles."""

_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def fit(value: Payload, declared: ExpectedType | None, claimed: ExpectedType | None) -> Payload:
    """Give the value as the event takes it.

    Parameters
    ----------
    value
        What the client sent. An int may have any size.
    declared
        The event's type, None where the backend does not tell.
    claimed
        The type that the client says it sends, None where it does not say.

    Raises
    ------
    PayloadTypeMismatch
        If the value is not exactly of the type, or the client claims another one.
    """
    if declared is not None and claimed is not None and claimed != declared:
        raise PayloadTypeMismatch(
            f"the event takes {_NAMES[declared]}, the payload is said to be {_NAMES[claimed]}",
            expectedType=declared,
        )
    wanted = declared or claimed or type_of(value)
    fitted = _FITS[wanted](value)
    if fitted is None:
        raise PayloadTypeMismatch(
            f"the event takes {_NAMES[wanted]}, got {_told(value, wanted)}", expectedType=wanted
        )
    return fitted


def type_of(value: Payload) -> ExpectedType:
    """Name the type of a payload."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "str"


def same(one: Payload | None, other: Payload | None) -> bool:
    """Tell whether two payloads are one answer; NaN is the same as NaN."""
    if type(one) is not type(other):
        return False
    return one == other or (one != one and other != other)


def for_json(value: Payload | None) -> Payload | None:
    """Give the payload in the form that no JSON reader rounds or refuses."""
    if type(value) is int and not -SAFE <= value <= SAFE:
        return str(value)
    if type(value) is float and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def _fit_bool(value: Payload) -> bool | None:
    return value if isinstance(value, bool) else None


def _fit_int(value: Payload) -> int | None:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    return value if type(value) is int and _is_int64(value) else None


def _fit_float(value: Payload) -> float | None:
    if isinstance(value, str):
        return _NON_FINITE.get(value)
    if type(value) is int:
        try:
            return float(value) if float(value) == value else None
        except OverflowError:
            return None
    return value if isinstance(value, float) else None


def _fit_str(value: Payload) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None  # Python knows halves of characters, nobody else does
    return value


_FITS = {"bool": _fit_bool, "int": _fit_int, "float": _fit_float, "str": _fit_str}
_NAMES = {"bool": "a bool", "int": "an int", "float": "a float", "str": "a str"}


def _is_int64(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _told(value: Payload, wanted: ExpectedType) -> str:
    """Say what came, without repeating a payload, which may be a secret."""
    if isinstance(value, str):
        return "a string" if wanted == "bool" else "a string that stands for none"
    if isinstance(value, int) and not isinstance(value, bool):
        if wanted == "float":
            return "a number that no double holds exactly"
        if not _is_int64(value):
            return "a number out of range"
    return _NAMES[type_of(value)]
