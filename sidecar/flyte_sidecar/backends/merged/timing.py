"""The timeouts and delays of merging; tests shorten them."""

from __future__ import annotations

from msgspec import Struct


class MergeTiming(Struct, frozen=True):
    """Timeouts and delays, in seconds.

    Attributes
    ----------
    response_timeout
        How long a request without a scope waits for a backend that does not respond.
        Shorter than the time in which a sidecar responds after the end of its input.
    retry_delay, max_retry_delay
        Delay before a watch of a backend is retried after an error that ended it, which doubles
        with each failure, and its maximum.
    """

    response_timeout: float = 4.0
    retry_delay: float = 1.0
    max_retry_delay: float = 30.0

    def backoff(self, failures: int) -> float:
        """Return the delay before a retry after consecutive failures."""
        return min(self.max_retry_delay, self.retry_delay * 2.0 ** min(failures - 1, 30))
