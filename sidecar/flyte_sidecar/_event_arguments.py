"""Checks of the arguments of `Event`, before any backend is called."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert

from flyte_sidecar.events.model import NewEvent, Payload
from flyte_sidecar.protocol.params import MAX_EXPIRY, Name

PAYLOAD_TYPES: tuple[type[Payload], ...] = (bool, int, float, str)


class _NewEvent(NewEvent, frozen=True, kw_only=True):
    """A new event, with the constraints that `events.create` has for other clients."""

    run_name: Name
    name: Name
    parent: Name
    group: Name | None = None
    expires_in: Annotated[float, Meta(gt=0, le=MAX_EXPIRY)] | None = None


def new_event(*, expected_type: type[Payload], **members: Any) -> NewEvent:
    """Return a new event.

    Raises
    ------
    TypeError
        If `expected_type` is not the type of a payload.
    ValueError
        If another member is invalid.
    """
    if expected_type not in PAYLOAD_TYPES:
        raise TypeError(f"expected_type must be bool, int, float or str, not {expected_type!r}")
    try:
        return convert({**members, "expected_type": expected_type.__name__}, _NewEvent)
    except ValidationError as error:
        raise ValueError(str(error)) from None


def plain_payload(payload: Payload) -> Payload:
    """Return the payload as exactly a `bool`, `int`, `float` or `str`, not as a subclass.

    Raises
    ------
    TypeError
        If it is none of the four.
    ValueError
        If it is a str that has no UTF-8 form.
    """
    if isinstance(payload, bool):
        return payload
    if isinstance(payload, int):
        return int.__int__(payload)
    if isinstance(payload, float):
        return float.__float__(payload)
    if isinstance(payload, str):
        payload.encode()  # raises UnicodeEncodeError for an unpaired surrogate
        return str.__str__(payload)
    raise TypeError(f"payload must be a bool, int, float or str, not {type(payload).__name__}")
