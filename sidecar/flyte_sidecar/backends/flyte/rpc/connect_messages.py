"""The messages of a stream of the Connect protocol, each in an envelope."""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator, AsyncIterable

from flyte_sidecar.backends.flyte.rpc.connect_errors import error_at_end
from flyte_sidecar.backends.flyte.rpc.decoding import MAX_MESSAGE_BYTES
from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, LimitExceeded, RpcError

_PREFIX = struct.Struct(">BI")
"""Flags, and the size of the message in bytes."""

_END_OF_STREAM = 0b10


def envelope(message: bytes) -> bytes:
    """Return a message in an envelope."""
    return _PREFIX.pack(0, len(message)) + message


async def messages(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the messages in the body of a response until the server ends the stream.

    Raises
    ------
    RpcError
        The error with which the server ends it; `UNAVAILABLE` if the body ends before.
    """
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        while (size := _size(buffer)) is not None:
            message = bytes(buffer[_PREFIX.size : size])
            ended = buffer[0] == _END_OF_STREAM
            del buffer[:size]
            if not ended:
                yield message
                continue
            error = error_at_end(message)
            if error is not None:
                raise error
            return
    raise RpcError("UNAVAILABLE", "the stream was cut off")


def _size(buffer: bytearray) -> int | None:
    """Return the size of the first envelope; None if it is incomplete."""
    if len(buffer) < _PREFIX.size:
        return None
    flags, length = _PREFIX.unpack_from(buffer)
    if flags not in (0, _END_OF_STREAM):
        raise InvalidResponse("a message of the stream is compressed or has unknown flags")
    if length > MAX_MESSAGE_BYTES:
        message = f"a message of the stream is larger than max ({length} vs. {MAX_MESSAGE_BYTES})"
        raise LimitExceeded(message)
    size: int = _PREFIX.size + length
    return size if len(buffer) >= size else None
