"""When events are notified of, and when failed deliveries are retried."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

RETRY_DELAY = 1.0
"""Longest delay before a first retry in seconds, which doubles with each failure."""

MAX_RETRY_DELAY = 600.0
"""Maximum delay before a retry in seconds, unless the receiver asks for a longer one."""

MAX_PAUSE = 60.0
"""Maximum delay in seconds before a channel is used again whose last delivery has failed in a way
that affects all events, unless the receiver asks for a longer one."""


class Schedule(Struct, frozen=True):
    """When events are notified of.

    Attributes
    ----------
    after
        Seconds for which an event must have waited.
    remind
        Seconds after a notification from which it is repeated; None for never.
    timeout
        Seconds that a delivery may take.
    clock
        Returns the Unix time.
    """

    after: float = 0.0
    remind: float | None = None
    timeout: float = 60.0
    clock: Callable[[], float] = time.time
