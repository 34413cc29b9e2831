"""Delays between retries."""

from __future__ import annotations

import random


def backoff(failures: int, first: float, maximum: float) -> float:
    """Return the delay in seconds before a retry after consecutive failures, with jitter.

    The longest delay is `first` after one failure, and doubles with each up to `maximum`.
    """
    longest = min(maximum, first * 2.0 ** min(failures - 1, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  jitter is no secret
