"""A message from the editor."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from msgspec import Raw, Struct

from flyte_sidecar.errors import InvalidParams


class Message(Struct, frozen=True, eq=False):
    """A request or notification of the editor.

    Attributes
    ----------
    params
        The JSON text of the params; empty if they are absent.
    response
        Future of the result; None for a notification. A failed request raises a SidecarError.
    """

    method: str
    params: Raw
    response: asyncio.Future[Any]


def decode_params(text: Raw) -> Any:
    """Return the params of a message as Python's JSON types.

    msgspec would reject the unpaired surrogates that editors send while a user types.

    Raises
    ------
    InvalidParams
        If they are nested too deeply, or contain an integer of thousands of digits.
    """
    try:
        return json.loads(bytes(text))
    except (RecursionError, ValueError):
        reason = "the params are nested too deeply, or contain a number that is too long"
        raise InvalidParams(reason, path="") from None
