"""Received messages, as both transports decode them."""

from __future__ import annotations

import logging
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, RpcMethod

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

MAX_MESSAGE_BYTES = 32 << 20
"""Maximum size of a received message, in bytes: ten times the largest payload of the backend."""

logger = logging.getLogger(__name__)


def decode(rpc: RpcMethod[Q, R], data: bytes | None) -> R:
    """Return the message in a response, where None stands for no response.

    Raises
    ------
    InvalidResponse
        If it cannot be decoded.
    """
    if data is None:
        reason = f"the response to {rpc.name} is missing"
    else:
        try:
            return rpc.response.FromString(data)
        except (DecodeError, ValueError):
            reason = f"the response to {rpc.name} ({len(data)} bytes) cannot be decoded"
    logger.warning("%s", reason)
    raise InvalidResponse(reason)
