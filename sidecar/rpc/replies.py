"""Outcomes to replies."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from msgspec import json

from sidecar.errors import SidecarError
from sidecar.rpc.calls import Batch, Call, Notice
from sidecar.rpc.work import defect

logger = logging.getLogger(__name__)


class Replies:
    """Makes the messages that answer.

    Parameters
    ----------
    encode
        Gives the JSON of a result or of an error's data.
    frame
        Puts a message into the framing that the client chose.
    in_flight
        The unanswered requests, by their ids.
    """

    def __init__(
        self,
        encode: Callable[[object], bytes],
        frame: Callable[[bytes], bytes],
        in_flight: dict[bytes, Call],
    ) -> None:
        self._encode = encode
        self._frame = frame
        self._in_flight = in_flight

    def render(self, what: Call | Batch | Notice) -> bytes | None:
        """Give the message that tells it; None where nothing is to be said."""
        if isinstance(what, Notice):
            return self._frame(notification(what.method, self._encode(what.params)))
        if isinstance(what, Batch):
            if not what.calls:
                return None
            return self._frame(b"[" + b",".join(map(self._reply, what.calls)) + b"]")
        if not what.silent:
            return self._frame(self._reply(what))
        if isinstance(what.outcome, SidecarError):
            logger.info("a notification failed: %s", what.outcome.kind)
        return None

    def _reply(self, call: Call) -> bytes:
        # The id is free before the client can know the answer.
        if (call.task is not None or call.batch is not None) and call.key is not None:
            self._in_flight.pop(call.key, None)
        try:
            if not isinstance(call.outcome, SidecarError):
                return reply(call.id or b"null", self._encode(call.outcome))
            return error_reply(call.id, call.outcome, self._encode, call.known)
        except Exception as error:
            return error_reply(call.id, defect(error), self._encode, call.known)


def reply(identity: bytes, result: bytes) -> bytes:
    """Give the reply to a request that succeeded, from JSON texts."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (identity, result)


def notification(method: str, params: bytes) -> bytes:
    """Give a notification, from the JSON text of its params."""
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (json.encode(method), params)


def error_reply(
    identity: bytes | None, error: SidecarError, encode: Callable[[object], bytes], known: Any
) -> bytes:
    """Give the reply to a request that failed.

    `known` is what can be said of a write that was under way.
    """
    data = {"kind": error.kind, "retryable": error.retryable}
    if known is not None and (error.tells_outcome or "outcome" in error.data):
        data |= known
    return b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":%b,"data":%b}}' % (
        identity or b"null",
        error.code,
        json.encode(error.message),
        encode(data | error.data),
    )
