"""Outcomes to replies."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import json

from flyte_sidecar.errors import MessageTooLarge, MethodNotFound, SidecarError
from flyte_sidecar.rpc.error_messages import quote
from flyte_sidecar.rpc.framing import StreamDecoder
from flyte_sidecar.rpc.requests import Batch, Call, Notice
from flyte_sidecar.rpc.task_runner import internal_error

logger = logging.getLogger(__name__)


MAX_BATCH_BYTES = 64 << 20
"""Of the array that answers a batch."""

MAX_HELD_BYTES = 4 * MAX_BATCH_BYTES
"""Of the answers that all batches together hold until they are complete."""

ERROR_BYTES = 512
"""What an error that answers an entry of a batch takes beside the id, at most."""


class ResponseEncoder:
    """Makes the messages that answer.

    Parameters
    ----------
    encode
        Gives the JSON of a result or of an error's data.
    decoder
        Knows the framing that the client chose.
    in_flight
        The unanswered requests, by their ids.
    """

    def __init__(
        self,
        encode: Callable[[object], bytes],
        decoder: StreamDecoder,
        in_flight: dict[bytes, Call],
    ) -> None:
        self._encode = encode
        self._decoder = decoder
        self._in_flight = in_flight
        self._held = 0

    def render(self, what: Call | Batch | Notice) -> bytes | None:
        """Return the message that says it; None where nothing is to be said."""
        if isinstance(what, Notice):
            message = notification(what.method, self._encode(what.params))
            return self._decoder.frame(self._decoder.safe(message))
        if isinstance(what, Batch):
            for call in what.calls:
                self._in_flight.pop(call.key or b"", None)
            replies = [call.reply for call in what.calls]
            self._held -= sum(map(len, replies))
            return self._decoder.frame(b"[%b]" % b",".join(replies)) if replies else None
        if what.silent:
            _note_failure(what)
            return None
        # The id is free before the client can know the answer.
        if what.task is not None and what.key is not None:
            self._in_flight.pop(what.key, None)
        return self._decoder.frame(self._reply(what))

    def join(self, call: Call, batch: Batch, identity: bytes | None) -> None:
        """Have the call's answer in the batch's array, which always has room for an error."""
        batch.calls.append(call)
        batch.unsettled += 1
        call.reserved = ERROR_BYTES + len(identity or b"")
        batch.size += call.reserved

    def settle(self, call: Call, batch: Batch) -> None:
        """Make the answer of a batch's call, which is kept until all are made.

        A read whose result does not fit is refused. A write is not: it has happened.
        """
        call.reply = self._reply(call)
        size = len(call.reply)
        fits = batch.size - call.reserved + size <= MAX_BATCH_BYTES
        if call.effect is None and not (fits and self._held + size <= MAX_HELD_BYTES):
            call.outcome = MessageTooLarge(
                f"the results of the batch exceed {MAX_BATCH_BYTES} bytes", limit=MAX_BATCH_BYTES
            )
            call.reply = self._reply(call)
        batch.size += len(call.reply) - call.reserved
        self._held += len(call.reply)
        call.outcome = None

    def _reply(self, call: Call) -> bytes:
        try:
            if not isinstance(call.outcome, SidecarError):
                text = reply(call.id or b"null", self._encode(call.outcome))
            else:
                text = error_reply(call.id, call.outcome, self._encode, call.known)
        except Exception as error:
            text = error_reply(call.id, internal_error(error), self._encode, call.known)
        if call.window is not None:
            call.window.record_size(len(text))
        return text if text.isascii() else self._decoder.safe(text)


def _note_failure(call: Call) -> None:
    """Log a notification that failed: nobody else hears of it."""
    if isinstance(call.outcome, SidecarError):
        # Clients of LSP send notifications that only some servers know, and cancel to the last.
        usual = isinstance(call.outcome, MethodNotFound) or call.method == "$/cancelRequest"
        level = logging.INFO if usual else logging.WARNING
        with suppress(Exception):  # nothing that logging does may prevent an answer
            logger.log(level, "notification %s failed: %s", quote(call.method), call.outcome.kind)


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
    if known is not None and (error.reports_outcome or "outcome" in error.data):
        data |= known
    return b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":%b,"data":%b}}' % (
        identity or b"null",
        error.code,
        json.encode(error.message),
        encode(data | error.data),
    )
