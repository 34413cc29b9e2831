"""Watching the pending events of all runs of a place.

No stream tells of them: which runs have any is asked now and then, and those are followed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from sidecar.backends.flyte.client import pause
from sidecar.backends.flyte.failures import as_error, loss, may_pass
from sidecar.backends.flyte.followers import Followers
from sidecar.backends.flyte.runs import Runs
from sidecar.backends.flyte.transport import CallFailed
from sidecar.errors import SidecarError
from sidecar.events.model import PAUSED, Event, Run
from sidecar.events.watch import Watch

POLL = 5.0
"""Seconds between two looks at which runs have pending events,"""

POLL_SOON = 1.0
"""and after something has changed."""

RUNS_A_SECOND = 50
"""Runs that are looked into in a second at most, where all have to be."""


class Inbox:
    """One watch of all pending events of a place.

    Parameters
    ----------
    watch
        What is fed.
    runs, followers, address
        What is asked where.

    Attributes
    ----------
    synced
        Whether all has been told that stood.
    """

    def __init__(self, watch: Watch, runs: Runs, followers: Followers, address: str) -> None:
        self._watch = watch
        self._runs = runs
        self._followers = followers
        self._address = address
        self._parts: dict[Run, Part] = {}
        self.synced = False
        self._away = True  # while it is not known which runs there are
        self._changed = False
        self._stirred = asyncio.Event()

    async def follow(self) -> None:
        """Feed the watch until it is cancelled; raises what cannot be mended."""
        failures = asked = 0
        try:
            while True:
                self._away = True
                try:
                    asked = await self._look()
                    self._away = False
                    failures = 0
                    self.sync()
                except CallFailed as failure:
                    if not may_pass(failure):
                        raise as_error(failure, self._address) from failure
                    failures += 1
                    self._watch.lose(loss(failure, self._address))
                await self._rest(asked, failures)
        finally:
            for part in self._parts.values():
                part.stop()

    def put(self, event: Event) -> None:
        """Say how an event of a run stands."""
        # What is only queued cannot be told from what is just being made.
        if event.phase == PAUSED or not event.pending:
            self._changed = True
            self._watch.put(event)

    def remove(self, event: Event) -> None:
        """Say that an event is gone."""
        self._watch.remove(event)

    def sync(self) -> None:
        """All is told that stands if every run has told it."""
        if not self._away and all(part.synced for part in self._parts.values()):
            self.synced = True
            self._watch.sync()

    def lose(self, error: SidecarError) -> None:
        """Say that a run cannot be followed for now."""
        self._watch.lose(error)

    def stir(self) -> None:
        """Look soon: something has happened to a run."""
        self._stirred.set()

    async def _look(self) -> int:
        """See which runs have pending events; gives how many had to be looked into for that."""
        found = {*await self._runs.with_paused(self._watch.watched.place)}
        unknown = [run for run in found if run not in self._parts]
        for run, count in zip(unknown, await self._runs.counts(unknown), strict=True):
            if count:  # a deployment that lists all runs makes some come with none
                self._parts[run] = Part(self, partial(self._followers.watch, run=run))
        for run, part in [*self._parts.items()]:
            if part.synced and not part.pending:
                del self._parts[run]
                part.stop()
                continue
            part.go_on()
            if run not in found:
                self._followers.look(run)  # it has not heard of the last end yet
        return len(unknown)

    async def _rest(self, asked: int, failures: int) -> None:
        if failures:
            await asyncio.sleep(pause(failures))
            return
        jitter = random.uniform(0.9, 1.1)  # noqa: S311  nothing is hidden by it
        least = max(POLL_SOON, asked / RUNS_A_SECOND) * jitter
        self._stirred.clear()
        await asyncio.sleep(least)
        if not self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, POLL * jitter - least)):
                    await self._stirred.wait()
        self._changed = False


class Part:
    """The feed of one run's events into an inbox; it begins again when it has failed.

    Attributes
    ----------
    pending
        The events that were told as pending.
    synced
        Whether all was told that stands.
    """

    def __init__(self, inbox: Inbox, feed: Callable[[Part], Coroutine[Any, Any, None]]) -> None:
        self.synced = False
        self.pending: set[str] = set()
        self._inbox = inbox
        self._feed = feed
        self._failures = 0
        self._not_before = 0.0
        self._stopped = False
        self._begin()

    def go_on(self) -> None:
        """Begin again if it has ended, though not at once.

        Raises
        ------
        SidecarError
            If it has ended for what cannot be mended, or before the inbox was told whole.
        """
        if not self._task.done():
            return
        error = self._task.exception()
        if error is not None and not (self._inbox.synced and getattr(error, "retryable", False)):
            raise error
        loop = asyncio.get_running_loop()
        if not self._not_before:
            self._failures += 1
            self._not_before = loop.time() + pause(self._failures)
        if loop.time() >= self._not_before:
            self._not_before = 0.0
            self._begin()

    def stop(self) -> None:
        """Feed nothing more: what is told from now on, nobody would tell the end of."""
        self._stopped = True
        self._task.cancel()

    def put(self, event: Event) -> None:
        """Say how an event stands."""
        if not self._stopped:
            (self.pending.add if event.pending else self.pending.discard)(event.action_name)
            self._inbox.put(event)

    def remove(self, event: Event) -> None:
        """Say that an event is gone."""
        if not self._stopped:
            self.pending.discard(event.action_name)
            self._inbox.remove(event)

    def sync(self) -> None:
        """Say that all was told that stands."""
        if self._stopped:
            return
        self.synced = True
        self._failures = 0
        self._inbox.sync()
        if not self.pending:
            self._inbox.stir()

    def lose(self, error: SidecarError) -> None:
        """Say that the run cannot be followed for now; raises where not all was told yet."""
        if not self.synced:
            raise error
        if not self._stopped:
            self.synced = False
            self._inbox.lose(error)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._feed(self))
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.synced = False
            self._inbox.stir()
