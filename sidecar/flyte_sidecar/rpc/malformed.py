"""Messages that cannot be read."""

from __future__ import annotations

from msgspec import Struct

from flyte_sidecar.errors import MessageTooLarge, SidecarError

MAX_MESSAGE_BYTES = 16 << 20
"""Default limit of a received message."""


class Malformed(Struct, frozen=True):
    """A message that cannot be read, and the error that answers it.

    Attributes
    ----------
    id
        JSON text of the request's id, if it could be recovered.
    fatal
        Whether no later message can be read either.
    """

    error: SidecarError
    id: bytes | None = None
    fatal: bool = False


Frame = bytes | Malformed


def too_large(length: int, limit: int, identity: bytes | None) -> Malformed:
    """Return the error for a message above the size limit."""
    error = MessageTooLarge(f"the message has {length} bytes; the limit is {limit}", limit=limit)
    return Malformed(error, identity)
