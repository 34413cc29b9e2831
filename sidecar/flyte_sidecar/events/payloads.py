"""The types of payloads, and converting an answer to the type of its event.

JSON has one kind of number, and encoders write doubles such as 2^60 as integers that no double
holds (1152921504606847000). A number for a float event is therefore rounded to the nearest
double, as JSON readers do. Every other value must match the declared type exactly.
"""

from __future__ import annotations

import math
import re
from typing import TypeGuard

from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.model import ExpectedType, Payload

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that survives a client whose numbers are doubles."""

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class _MinusZero(int):
    """The JSON number `-0`: an integer, whose nearest double is -0.0."""

    def __float__(self) -> float:
        return -0.0


MINUS_ZERO = _MinusZero()


def fit(value: Payload, declared: ExpectedType | None, claimed: ExpectedType | None) -> Payload:
    """Return the value converted to the event's type.

    Parameters
    ----------
    value
        What the client sent. An int may have any size.
    declared
        The event's type, None if the backend does not report it.
    claimed
        The type that the client declares for the payload, if any.

    Raises
    ------
    PayloadTypeMismatch
        If the value does not match the type, or the client declares another one.
    """
    if declared is not None and claimed is not None and claimed != declared:
        raise PayloadTypeMismatch(
            f"the event expects {_NAMES[declared]}, the payload is declared as {_NAMES[claimed]}",
            expectedType=declared,
        )
    wanted = declared or claimed or type_of(value)
    fitted = _FITS[wanted](value)
    if fitted is None:
        raise PayloadTypeMismatch(
            f"the event expects {_NAMES[wanted]}, got {_describe(value, wanted)}",
            expectedType=wanted,
        )
    return fitted


def type_of(value: Payload) -> ExpectedType:
    """Return the type of a payload."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "str"


def same(one: Payload | None, other: Payload | None) -> bool:
    """Return whether two payloads are the same answer; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    return one == other or (one != one and other != other)


def for_json(value: Payload | None) -> Payload | None:
    """Return the payload in a form that no JSON reader rounds or rejects."""
    if type(value) is int and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return str(value)
    if type(value) is float and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def _fit_bool(value: Payload) -> bool | None:
    return value if isinstance(value, bool) else None


def _fit_int(value: Payload) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    return int(value) if _is_int(value) and _is_int64(value) else None


def _fit_float(value: Payload) -> float | None:
    if isinstance(value, str) and value in _NON_FINITE:
        return _NON_FINITE[value]
    if isinstance(value, str):
        return _finite(value) if _NUMBER.fullmatch(value) else None
    if _is_int(value):
        return _finite(value)
    return value if isinstance(value, float) else None


def _fit_str(value: Payload) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None  # only Python accepts unpaired surrogates
    return value


_FITS = {"bool": _fit_bool, "int": _fit_int, "float": _fit_float, "str": _fit_str}
_STRINGS: dict[ExpectedType, str] = {
    "bool": "a string",
    "int": "a string that is not the decimal digits of a 64-bit integer",
    "float": "a string that is not a number within a double, NaN, Infinity or -Infinity",
    "str": "a string with an unpaired surrogate",
}
_NAMES = {"bool": "a bool", "int": "an int", "float": "a float", "str": "a str"}


def _is_int(value: Payload) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(number: str | int) -> float | None:
    """Return the nearest double, or None if the number is beyond all of them."""
    try:
        nearest = float(number)
    except OverflowError:
        return None
    return nearest if math.isfinite(nearest) else None


def _is_int64(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _describe(value: Payload, wanted: ExpectedType) -> str:
    """Describe a value without repeating it: it may be a secret."""
    if isinstance(value, str):
        return _STRINGS[wanted]
    if _is_int(value):
        if wanted == "float":
            return "a number that overflows a double"
        if not _is_int64(value):
            return "a number out of range"
    return _NAMES[type_of(value)]
