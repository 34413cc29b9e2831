"""Requests to the editor to read something again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from flyte_sidecar.events.live.background import BackgroundTasks

RESPONSE_TIMEOUT = 5.0
"""Seconds that an editor may take to respond to a request."""


class Refreshes:
    """Sends at most one request at a time for each thing to read again.

    Nothing is sent while the editor reads nothing, and a request without a response is cancelled.
    Otherwise requests would accumulate with every change of an event.

    Parameters
    ----------
    background
        Runs the requests.
    wait_for_room
        Waits while the editor reads nothing.
    """

    def __init__(
        self, background: BackgroundTasks, wait_for_room: Callable[[], Awaitable[None]]
    ) -> None:
        self._background = background
        self._wait_for_room = wait_for_room
        self._due: set[Hashable] = set()
        self._running: set[Hashable] = set()

    def send(self, subject: Hashable, request: Callable[[], Awaitable[object]]) -> None:
        """Send a request now, or after the previous one about the same subject has ended."""
        self._due.add(subject)
        if subject not in self._running:
            self._running.add(subject)
            self._background.start(self._send(subject, request))

    async def _send(self, subject: Hashable, request: Callable[[], Awaitable[object]]) -> None:
        try:
            while subject in self._due:
                await self._wait_for_room()
                self._due.discard(subject)
                try:
                    async with asyncio.timeout(RESPONSE_TIMEOUT):
                        await request()
                except TimeoutError:
                    pass  # most likely it was read again nevertheless
        finally:
            self._running.discard(subject)
