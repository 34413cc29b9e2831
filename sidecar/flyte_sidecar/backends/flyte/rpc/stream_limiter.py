"""How many streams a session may open, and for which runs streams are known to fail."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from cachetools import TLRUCache

from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.events.model import Run

SHORT_LIVED_SHARE = 10
"""A further stream may be open for each so many, if it ends after one snapshot."""

MAX_FAILING_RUNS = 10_000
"""Maximum number of runs that are remembered because their stream fails."""

RETRY_INTERVAL = 60.0
"""Minimum time until a stream that failed is retried, in seconds."""

RETRIES_PER_SECOND = 1.0
"""Maximum rate of such retries, over all runs."""

UNSUPPORTED_RETRY_INTERVAL = 600.0
"""Time until streams are retried on a backend that does not implement them, in seconds."""


class StreamLimiter:
    """Counts the streams of a session.

    Parameters
    ----------
    maximum
        Returns the maximum number of streams that stay open.

    Attributes
    ----------
    open
        How many streams are open.
    runs_without_stream
        How many informers wait because the limit of streams is reached.
    """

    def __init__(self, maximum: Callable[[], int]) -> None:
        self._maximum = maximum
        self.open = 0
        self.runs_without_stream = 0
        self._failing: TLRUCache[Run | None, float] = TLRUCache(
            MAX_FAILING_RUNS, lambda _, seconds, now: now + seconds, monotonic
        )

    def acquire(self, run: Run, *, long_lived: bool = False) -> bool:
        """Return whether a stream of the run may be opened; if so, `release` must follow."""
        limit = self._maximum()
        if not long_lived:
            limit += max(1, limit // SHORT_LIVED_SHARE)
        allowed = self.open < limit and run not in self._failing and None not in self._failing
        self.open += allowed
        return allowed

    def release(self) -> None:
        """Count a stream as closed."""
        self.open -= 1

    def mark_failing(self, run: Run, error: RpcError) -> None:
        """Open no stream of the run for some time, or of any run if streams are unsupported."""
        if error.status == "UNIMPLEMENTED":
            self._failing[None] = UNSUPPORTED_RETRY_INTERVAL
        else:
            self._failing[run] = max(RETRY_INTERVAL, len(self._failing) / RETRIES_PER_SECOND)
