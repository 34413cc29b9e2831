"""When the events are read again after an error."""

from __future__ import annotations

import asyncio
from typing import Protocol

from flyte_sidecar._backoff import backoff
from flyte_sidecar.errors import SidecarError, Unauthenticated

RETRY_DELAY = 0.5
"""Longest delay before a first reconnect in seconds, which doubles with each failure."""

MAX_RETRY_DELAY = 60.0
"""Maximum delay before a reconnect in seconds."""

LOGIN_CHECK_INTERVAL = 30.0
"""Seconds between checks whether somebody has logged in elsewhere."""

TRANSIENT_REASONS = frozenset({"replaced", "full", "io"})
"""The reasons of `store_unavailable` after which the store may be usable again."""


class Checkable(Protocol):
    """A backend."""

    async def healthy(self) -> bool:
        """Return whether the backend responds; never asks a person to log in."""


def retry_delay(failures: int) -> float:
    """Return the delay in seconds before a reconnect after consecutive failures, with jitter."""
    return backoff(failures, RETRY_DELAY, MAX_RETRY_DELAY)


def is_transient(error: SidecarError) -> bool:
    """Return whether the same request may succeed later."""
    return error.retryable or error.data.get("reason") in TRANSIENT_REASONS


async def wait_before_retry(error: SidecarError, delay: float, backend: Checkable) -> None:
    """Wait until the request that failed may succeed; without end if that is never certain.

    Parameters
    ----------
    delay
        How long to wait after an error that is transient, in seconds.
    """
    if is_transient(error):
        await asyncio.sleep(delay)
    elif isinstance(error, Unauthenticated):
        # Another process may log in. A retry would ask the person.
        healthy = False
        while not healthy:
            await asyncio.sleep(LOGIN_CHECK_INTERVAL)
            healthy = await backend.healthy()
    else:
        await asyncio.get_running_loop().create_future()
