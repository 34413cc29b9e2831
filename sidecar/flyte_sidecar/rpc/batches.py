"""Batches: requests in one array, answered by one array."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from flyte_sidecar.errors import MessageTooLarge
from flyte_sidecar.rpc.concurrency_limit import ConcurrencyLimit
from flyte_sidecar.rpc.responses import ResponseEncoder

MAX_BATCH_ENTRIES = 1000
"""Maximum number of requests and notifications in a batch."""

MAX_BATCH_BYTES = 64 << 20
"""Maximum size of the response to a batch, which is an array."""

MAX_HELD_BYTES = 4 * MAX_BATCH_BYTES
"""Maximum size of the responses of all batches that are not completed."""

ERROR_BYTES = 512
"""Maximum size of an error that answers an entry of a batch, without its id."""


class Batch(Struct, eq=False):
    """The requests of one array, answered by one array once all are completed.

    Attributes
    ----------
    responses
        JSON texts of the responses, empty for those that are not completed.
    keys
        Ids that are in flight until the array is answered.
    incomplete
        Number of requests that are not completed, plus one while the array is being read.
    size
        Bytes of the responses, and of the errors that the other requests may end with.
    """

    responses: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    incomplete: int = 1
    size: int = 0

    def reserve(self, request_id: bytes) -> BatchEntry:
        """Reserve room for a response, enough for an error."""
        entry = BatchEntry(self, len(self.responses), ERROR_BYTES + len(request_id))
        self.responses.append(b"")
        self.incomplete += 1
        self.size += entry.reserved
        return entry


class BatchEntry(Struct, frozen=True, eq=False):
    """The position of one response in the array; `reserved` bytes are kept free for it."""

    batch: Batch
    index: int
    reserved: int


class BatchResponses:
    """Collects the responses of batches, within the size limits."""

    def __init__(self, encoder: ResponseEncoder) -> None:
        self._encoder = encoder
        self._held = 0

    def add(
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
        text = self._encoder.text(request_id, outcome, write, limit)
        batch = entry.batch
        fits = batch.size - entry.reserved + len(text) <= MAX_BATCH_BYTES
        if write is None and not (fits and self._held + len(text) <= MAX_HELD_BYTES):
            error = MessageTooLarge(
                f"the results of the batch exceed {MAX_BATCH_BYTES} bytes", limit=MAX_BATCH_BYTES
            )
            text = self._encoder.text(request_id, error, write, limit)
        batch.responses[entry.index] = text
        batch.size += len(text) - entry.reserved
        self._held += len(text)

    def join(self, batch: Batch) -> bytes | None:
        """Return the framed array of a completed batch; None if it had only notifications."""
        self._held -= sum(map(len, batch.responses))
        if not batch.responses:
            return None
        return self._encoder.frame(b"[%b]" % b",".join(batch.responses))
