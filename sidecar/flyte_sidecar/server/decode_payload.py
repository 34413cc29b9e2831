"""Decoding the payload of a signal."""

from __future__ import annotations

import math

from msgspec import DecodeError, Raw, ValidationError, json

from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.events.model import Payload
from flyte_sidecar.events.payloads import MINUS_ZERO

OVERFLOW = 1 << 1024
"""Replaces a number that overflows a double, so that it is rejected for any expected type."""


def decode_payload(raw: Raw) -> Payload:
    """Return the payload of a JSON text; an int may have any size.

    Raises
    ------
    InvalidParams
        If it is an object, an array or null.
    """
    try:
        value = json.decode(raw)
        if value == 0 and type(value) is int and bytes(raw).lstrip()[:1] == b"-":
            return MINUS_ZERO
    except (ValidationError, RecursionError):
        value = _long_number(bytes(raw).strip())
    except DecodeError:
        value = None
    if not isinstance(value, Payload):
        raise InvalidParams("`payload` must be a boolean, a number or a string", path="/payload")
    return value


def _long_number(text: bytes) -> int | float | None:
    """Return a number with more digits or a larger exponent than the decoder accepts."""
    if text[:1] not in b"-0123456789":
        return None
    nearest = float(text)
    return nearest if math.isfinite(nearest) else OVERFLOW
