"""The requests in flight, and their responses."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from flyte_sidecar.errors import MethodNotFound, ShuttingDown, SidecarError
from flyte_sidecar.rpc.batches import Batch, BatchResponses
from flyte_sidecar.rpc.concurrency_limit import ConcurrencyLimit
from flyte_sidecar.rpc.error_messages import quote
from flyte_sidecar.rpc.output_queue import OutputQueue
from flyte_sidecar.rpc.requests import PendingRequest, Request
from flyte_sidecar.rpc.responses import ResponseEncoder

logger = logging.getLogger(__name__)


class Responder:
    """Sends responses, or collects them into the array of a batch.

    Attributes
    ----------
    in_flight
        The canonical ids of requests without a response, each with its request if that is pending.
        The ids of a batch are in flight until the array is sent.
    errors
        Number of failed requests and notifications.
    """

    def __init__(self, encoder: ResponseEncoder, output: OutputQueue) -> None:
        self.in_flight: dict[bytes, PendingRequest | None] = {}
        self.errors = 0
        self._encoder = encoder
        self._batches = BatchResponses(encoder)
        self._output = output

    def respond_to_pending(self, pending: PendingRequest, outcome: Any) -> None:
        """Respond to a pending request that is completed."""
        request, write = pending.request, pending.deferred.write
        if request.key is not None:
            # The id is free before the client can see the response.
            if request.entry is None:
                del self.in_flight[request.key]
            else:
                self.in_flight[request.key] = None
        description = None if write is None else write.describe()
        self.respond(request, outcome, description, pending.limit)

    def respond(
        self,
        request: Request,
        outcome: Any,
        write: dict[str, Any] | None = None,
        limit: ConcurrencyLimit | None = None,
    ) -> None:
        """Respond to a request with a result or a SidecarError; called once for each."""
        failed = isinstance(outcome, SidecarError)
        self.errors += failed
        if not request.id:
            if failed:
                _log_failure(request, outcome)
        elif request.entry is None:
            self._output.put(self._encoder.response, request.id, outcome, write, limit)
        else:
            self._batches.add(request.entry, request.id, outcome, write, limit)
            self.complete_batch_entry(request.entry.batch)

    def complete_batch_entry(self, batch: Batch) -> None:
        """Send the array of a batch if this was its last entry."""
        batch.incomplete -= 1
        if not batch.incomplete:
            for key in batch.keys:
                del self.in_flight[key]
            self._output.put(self._batches.join, batch)


def _log_failure(request: Request, error: SidecarError) -> None:
    """Log that a notification failed, because nothing is sent about it."""
    # LSP clients send notifications that a server may not support, and end at any time.
    usual = isinstance(error, MethodNotFound | ShuttingDown) or request.method == "$/cancelRequest"
    level = logging.INFO if usual else logging.WARNING
    with suppress(Exception):  # nothing that logging does may prevent a response
        logger.log(level, "notification %s failed: %s", quote(request.method), error.kind)
