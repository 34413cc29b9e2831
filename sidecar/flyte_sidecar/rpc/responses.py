"""Encoding responses and notifications, and collecting the responses of batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import json

from flyte_sidecar.errors import MessageTooLarge, SidecarError
from flyte_sidecar.rpc.batches import MAX_BATCH_BYTES, MAX_HELD_BYTES, Batch, BatchEntry
from flyte_sidecar.rpc.concurrency_limit import ConcurrencyLimit
from flyte_sidecar.rpc.internal_error import internal_error
from flyte_sidecar.rpc.stream_decoder import StreamDecoder


class ResponseEncoder:
    """Encodes what the connection sends.

    Parameters
    ----------
    encode
        Encodes a result, or the data of an error, as JSON.
    framing
        Frames messages as the client chose.
    """

    def __init__(self, encode: Callable[[object], bytes], framing: StreamDecoder) -> None:
        self._encode = encode
        self._framing = framing
        self._held = 0

    def response(
        self,
        request_id: bytes,
        outcome: Any,
        write: dict[str, Any] | None = None,
        limit: ConcurrencyLimit | None = None,
    ) -> bytes:
        """Return the framed response to a request.

        Parameters
        ----------
        request_id
            JSON text of the id.
        outcome
            The result, or a SidecarError.
        write
            The outcome of a write, as members of an error's data.
        limit
            Records the size of the response.
        """
        return self._framing.frame(self._text(request_id, outcome, write, limit))

    def notification(self, method: str, params: object) -> bytes:
        """Return a framed notification."""
        text = notification(method, self._encode(params))
        return self._framing.frame(self._framing.escape(text))

    def batch_response(self, batch: Batch) -> bytes | None:
        """Return the framed response to a batch; None if it had only notifications."""
        self._held -= sum(map(len, batch.responses))
        if not batch.responses:
            return None
        return self._framing.frame(b"[%b]" % b",".join(batch.responses))

    def add_to_batch(
        self,
        entry: BatchEntry,
        request_id: bytes,
        outcome: Any,
        write: dict[str, Any] | None = None,
        limit: ConcurrencyLimit | None = None,
    ) -> None:
        """Encode the response to an entry of a batch, and keep it until all are completed.

        A read whose result does not fit fails. A write does not: it was already applied.
        """
        text = self._text(request_id, outcome, write, limit)
        batch = entry.batch
        fits = batch.size - entry.reserved + len(text) <= MAX_BATCH_BYTES
        if write is None and not (fits and self._held + len(text) <= MAX_HELD_BYTES):
            error = MessageTooLarge(
                f"the results of the batch exceed {MAX_BATCH_BYTES} bytes", limit=MAX_BATCH_BYTES
            )
            text = self._text(request_id, error, write, limit)
        batch.responses[entry.index] = text
        batch.size += len(text) - entry.reserved
        self._held += len(text)

    def _text(
        self,
        request_id: bytes,
        outcome: Any,
        write: dict[str, Any] | None,
        limit: ConcurrencyLimit | None,
    ) -> bytes:
        try:
            if isinstance(outcome, SidecarError):
                text = self._error(request_id, outcome, write)
            else:
                text = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (
                    request_id,
                    self._encode(outcome),
                )
        except Exception as error:
            text = self._error(request_id, internal_error(error), write)
        if limit is not None:
            limit.record_size(len(text))
        return text if text.isascii() else self._framing.escape(text)

    def _error(self, request_id: bytes, error: SidecarError, write: dict[str, Any] | None) -> bytes:
        data = {"kind": error.kind, "retryable": error.retryable}
        if write is not None and (error.reports_outcome or "outcome" in error.data):
            data |= write
        return b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":%b,"data":%b}}' % (
            request_id,
            error.code,
            json.encode(error.message),
            self._encode(data | error.data),
        )


def notification(method: str, params: bytes) -> bytes:
    """Return a notification with the JSON text of its params."""
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (json.encode(method), params)
