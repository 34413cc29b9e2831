"""Renewing the lease of this process while it owns pending events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from flyte_sidecar.errors import SidecarError

RENEWAL_INTERVAL = 15.0
"""Seconds between two renewals: a fraction of the lease, so that some of them may fail."""


class LeaseRenewal:
    """Renews a lease at intervals until nothing needs it any more.

    Parameters
    ----------
    renew
        Renews the lease, and returns whether it is needed. It is called again after an error.
    """

    def __init__(self, renew: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        self._renew = renew
        self._task: asyncio.Task[None] | None = None

    def start(self, delay: float | None = None) -> None:
        """Start again, with the first renewal after `delay` seconds; by default, an interval."""
        self.stop()
        delay = RENEWAL_INTERVAL if delay is None else delay
        self._task = asyncio.get_running_loop().create_task(self._run(delay))

    def stop(self) -> None:
        """Stop renewing, for now or for good."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, delay: float) -> None:
        needed = True
        while needed:
            await asyncio.sleep(delay)
            delay = RENEWAL_INTERVAL
            with suppress(SidecarError):
                needed = await self._renew()
