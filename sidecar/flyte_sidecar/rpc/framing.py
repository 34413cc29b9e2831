"""Framing: how a stream of bytes is divided into messages, and the longest message.

`StreamDecoder` selects line framing or header framing. Each decoder rejects longer messages.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from flyte_sidecar.errors import MessageTooLarge, SidecarError

Framing = Literal["auto", "header", "line"]

MAX_MESSAGE_BYTES = 16 << 20
"""Default size of the longest message that is accepted."""


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


class Decoder(Protocol):
    """Decodes a stream of bytes into messages, and frames messages."""

    def feed(self, data: bytes) -> None:
        """Append the next bytes of the stream."""

    def next(self) -> Frame | None:
        """Return the next message, or None if more bytes are needed."""

    def end(self) -> Frame | None:
        """Return the last message of the stream, or the error of an incomplete one."""

    def escape(self, message: bytes) -> bytes:
        """Return the JSON text with characters escaped that this framing cannot contain."""

    def frame(self, message: bytes) -> bytes:
        """Return an escaped message in this framing."""


def message_too_large(length: int, limit: int, request_id: bytes | None) -> Malformed:
    """Return the error for a message of more bytes than the limit."""
    error = MessageTooLarge(f"the message has {length} bytes; the limit is {limit}", limit=limit)
    return Malformed(error, request_id)
