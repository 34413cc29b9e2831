"""Encoding responses and notifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import json

from flyte_sidecar._internal_error import internal_error
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.rpc.concurrency_limit import ConcurrencyLimit
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

    def response(
        self,
        request_id: bytes,
        outcome: Any,
        write: dict[str, Any] | None = None,
        limit: ConcurrencyLimit | None = None,
    ) -> bytes:
        """Return the framed response to a request; the parameters are those of `text`."""
        return self._framing.frame(self.text(request_id, outcome, write, limit))

    def notification(self, method: str, params: object) -> bytes:
        """Return a framed notification."""
        text = notification(method, self._encode(params))
        return self._framing.frame(self._framing.escape(text))

    def request(self, request_id: bytes, method: str, params: object) -> bytes:
        """Return a framed request to the client; `params` may be None."""
        text = b'{"jsonrpc":"2.0","id":%b,"method":%b' % (request_id, json.encode(method))
        if params is not None:
            text += b',"params":%b' % self._encode(params)
        text += b"}"
        return self._framing.frame(self._framing.escape(text))

    def frame(self, text: bytes) -> bytes:
        """Return a JSON text in the frame of the connection."""
        return self._framing.frame(text)

    def text(
        self,
        request_id: bytes,
        outcome: Any,
        write: dict[str, Any] | None = None,
        limit: ConcurrencyLimit | None = None,
    ) -> bytes:
        """Return the JSON text of the response to a request, without its frame.

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
        members = error.data if write is None else error.data_with(write)
        data = {"kind": error.kind, "retryable": error.retryable, **members}
        return b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":%b,"data":%b}}' % (
            request_id,
            error.code,
            json.encode(error.message),
            self._encode(data),
        )


def notification(method: str, params: bytes) -> bytes:
    """Return a notification with the JSON text of its params."""
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (json.encode(method), params)
