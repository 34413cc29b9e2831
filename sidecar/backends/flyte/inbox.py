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

from sidecar.backends.flyte.failures import as_error
from sidecar.backends.flyte.followers import Followers
from sidecar.backends.flyte.following import PASSING
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
    """

    def __init__(self, watch: Watch, runs: Runs, followers: Followers, address: str) -> None:
        self._watch = watch
        self._runs = runs
        self._followers = followers
        self._address = address
        self._parts: dict[Run, _Part] = {}
        self._away = True  # until the runs have been listed once, or again
        self._changed = False
        self._stirred = asyncio.Event()

    async def follow(self) -> None:
        """Feed the watch until it is cancelled; raises what cannot be mended."""
        try:
            while True:
                asked = 0
                try:
                    asked = await self._look()
                    self._away = False
                except CallFailed as failure:
                    error = as_error(failure, self._address)
                    if failure.status not in PASSING:
                        raise error from failure
                    error.retryable = True
                    self._away = True
                    self._watch.lose(error)
                self.sync()
                await self._rest(asked)
        finally:
            for part in self._parts.values():
                part.end()

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
            self._watch.sync()

    def lose(self, error: SidecarError) -> None:
        """Say that a run cannot be followed for now."""
        self._watch.lose(error)

    def stir(self) -> None:
        """Look soon: a run is followed no longer."""
        self._stirred.set()

    async def _look(self) -> int:
        """See which runs have pending events; gives how many had to be looked into for that."""
        for run, part in [*self._parts.items()]:
            if part.ended:
                del self._parts[run]
                part.raise_for_good()
        found = await self._runs.with_paused(self._watch.watched.place)
        unknown = [run for run in found if run not in self._parts]
        for run, count in zip(unknown, await self._runs.counts(unknown), strict=True):
            if count:  # a deployment that lists all runs makes some come with none
                self._parts[run] = _Part(self, partial(self._followers.watch, run=run))
        for run, part in [*self._parts.items()]:
            if part.synced and not part.pending:
                del self._parts[run]
                part.end()
            elif run not in found:
                self._followers.look(run)  # it has not heard of the last end yet
        return len(unknown)

    async def _rest(self, asked: int) -> None:
        interval = max(POLL_SOON if self._changed else POLL, asked / RUNS_A_SECOND)
        self._changed = False
        self._stirred.clear()
        jitter = random.uniform(0.9, 1.1)  # noqa: S311  nothing is hidden by it
        with suppress(TimeoutError):
            async with asyncio.timeout(interval * jitter):
                await self._stirred.wait()


class _Part:
    """The feed of one run's events into an inbox."""

    def __init__(self, inbox: Inbox, feed: Callable[[_Part], Coroutine[Any, Any, None]]) -> None:
        self.synced = False
        self.pending: set[str] = set()
        self._inbox = inbox
        self._task = asyncio.ensure_future(feed(self))
        self._task.add_done_callback(lambda _: inbox.stir())

    @property
    def ended(self) -> bool:
        return self._task.done()

    def raise_for_good(self) -> None:
        """Raise why the run could not be followed, if trying again cannot help."""
        error = None if self._task.cancelled() else self._task.exception()
        if error is not None and not getattr(error, "retryable", False):
            raise error

    def end(self) -> None:
        self._task.cancel()

    def put(self, event: Event) -> None:
        (self.pending.add if event.pending else self.pending.discard)(event.action_name)
        self._inbox.put(event)

    def remove(self, event: Event) -> None:
        self.pending.discard(event.action_name)
        self._inbox.remove(event)

    def sync(self) -> None:
        self.synced = True
        self._inbox.sync()

    def lose(self, error: SidecarError) -> None:
        self.synced = False
        self._inbox.lose(error)
