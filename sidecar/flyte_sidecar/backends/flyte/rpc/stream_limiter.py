"""How many streams a connection may have, and for which runs none can be had."""

from __future__ import annotations

from time import monotonic

from cachetools import TLRUCache

from flyte_sidecar.backends.flyte.rpc.transport import CallFailed
from flyte_sidecar.events.model import Run

OPEN = 1000
"""Streams that may be open for long, over several HTTP/2 connections."""

SPARE = 100
"""Streams that may be open beyond these for a snapshot."""

FAILING = 10_000
"""Maximum number of runs that are remembered as ones whose stream fails."""

REMEMBERED = 60.0
"""Seconds at least after which a stream that failed is tried again."""

RETRIES_PER_SECOND = 1.0
"""Streams of all runs together that are then tried again, where many fail."""

UNSUPPORTED = 600.0
"""Seconds after which all of them are tried again where the backend has no such method."""


class StreamLimiter:
    """The streams of a connection.

    Attributes
    ----------
    open
        How many are open.
    without
        How many runs are followed without one.
    """

    def __init__(self) -> None:
        self.open = 0
        self.without = 0
        self._failing: TLRUCache[Run | None, float] = TLRUCache(
            FAILING, lambda _, seconds, now: now + seconds, monotonic
        )

    def acquire(self, run: Run, *, spare: bool = True) -> bool:
        """Return whether a stream of the run may be opened; if so, it has to be given back.

        Only a stream that is over soon may be one of the spare ones.
        """
        limit = OPEN + SPARE if spare else OPEN
        may = self.open < limit and run not in self._failing and None not in self._failing
        self.open += may
        return may

    def release(self) -> None:
        """Give one back."""
        self.open -= 1

    def mark_failing(self, run: Run, failure: CallFailed) -> None:
        """Open no stream of the run for some time, or of any run if there is no such method."""
        if failure.status == "UNIMPLEMENTED":
            self._failing[None] = UNSUPPORTED
        else:
            self._failing[run] = max(REMEMBERED, len(self._failing) / RETRIES_PER_SECOND)
