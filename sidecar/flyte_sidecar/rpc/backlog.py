"""The unwritten data of a writer, with back-pressure.

Above `HIGH_WATER` bytes, the sender must pause.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from flyte_sidecar._futures import try_set_result

HIGH_WATER = 1 << 20
"""Unwritten bytes above which back-pressure starts: the sender must pause."""

LOW_WATER = 1 << 18
"""Unwritten bytes below which back-pressure ends: the sender may continue."""

WRITE_CHUNK_BYTES = 1 << 16
"""Maximum size of one write, where the descriptor sets no smaller one."""


class Sender(Protocol):
    """What a writer calls."""

    def pause_writing(self) -> None:
        """Stop writing until `resume_writing`."""

    def resume_writing(self) -> None:
        """Continue to write."""

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the loss of the reader."""


class Backlog:
    """The unwritten data of a writer: counts it, and applies back-pressure to the sender."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._unwritten = 0
        self._paused = False
        self._lost = False
        self._waiters: list[asyncio.Future[None]] = []

    async def drained(self) -> None:
        if self._unwritten and not self._lost:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _update(self) -> None:
        """Pause or resume the sender, and wake the waiters once everything is written."""
        if self._lost:
            return
        if not self._paused and self._unwritten > HIGH_WATER:
            self._paused = True
            self._sender.pause_writing()
        elif self._paused and self._unwritten < LOW_WATER:
            self._paused = False
            self._sender.resume_writing()
        if not self._unwritten:
            self._wake_waiters()

    def _report_lost(self, error: Exception | None = None) -> None:
        if not self._lost:
            self._lost = True
            self._wake_waiters()
            self._sender.connection_lost(error)

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            try_set_result(waiter, None)
