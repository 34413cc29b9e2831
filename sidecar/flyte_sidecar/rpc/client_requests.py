"""Requests that the sidecar sends to its client, and the responses to them."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.rpc.canonical_ids import canonical_id
from flyte_sidecar.rpc.messages import Envelope
from flyte_sidecar.rpc.output_queue import OutputQueue
from flyte_sidecar.rpc.responses import ResponseEncoder


class ClientRequests:
    """The requests that the client has not responded to yet."""

    def __init__(self, encoder: ResponseEncoder, output: OutputQueue) -> None:
        self._encoder = encoder
        self._output = output
        self._ids = count(1)
        self._open: dict[bytes, asyncio.Future[Envelope]] = {}

    def send(self, method: str, params: object) -> asyncio.Future[Envelope]:
        """Send a request, and return a future of the client's response.

        Cancelling the future cancels the request. It is cancelled when the connection ends.
        """
        number = next(self._ids)
        request_id = b"%d" % number
        response: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._open[request_id] = response
        response.add_done_callback(partial(self._done, number))
        self._output.put(self._encoder.request, request_id, method, params)
        return response

    def receive(self, response: Envelope) -> None:
        """Pass a response to the request it belongs to; drop it if there is none."""
        waiting = self._open.get(canonical_id(bytes(response.id)) or b"")
        if waiting is not None:
            try_set_result(waiting, response)

    def close(self) -> None:
        """Cancel all requests, because the client is gone."""
        waiting, self._open = self._open, {}
        for response in waiting.values():
            response.cancel()

    def _done(self, number: int, response: asyncio.Future[Envelope]) -> None:
        was_open = self._open.pop(b"%d" % number, None) is not None
        if was_open and response.cancelled():
            self._output.put(self._encoder.notification, "$/cancelRequest", {"id": number})
