"""Requests that the sidecar sends to its client, and the responses to them."""

from __future__ import annotations

import asyncio
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

        Cancelling the future drops the response. The future is cancelled when the connection ends.
        """
        request_id = b"%d" % next(self._ids)
        response: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._open[request_id] = response
        response.add_done_callback(lambda _: self._open.pop(request_id, None))
        self._output.put(self._encoder.request, request_id, method, params)
        return response

    def receive(self, response: Envelope) -> None:
        """Pass a response to the request it belongs to; drop it if there is none."""
        waiting = self._open.get(canonical_id(bytes(response.id)) or b"")
        if waiting is not None:
            try_set_result(waiting, response)

    def close(self) -> None:
        """Cancel all requests, because the client is gone."""
        for waiting in list(self._open.values()):
            waiting.cancel()
