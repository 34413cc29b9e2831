"""A message from the editor."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Raw, Struct


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
