"""Watching the pending events of all runs of a scope.

No stream reports which runs have any: they are polled, and each of them is followed.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from functools import partial

from flyte_sidecar.backends.flyte.read.events import each
from flyte_sidecar.backends.flyte.read.runs import Found, Runs
from flyte_sidecar.backends.flyte.rpc.enums import FINAL
from flyte_sidecar.backends.flyte.rpc.error_translation import (
    as_error,
    may_recover,
    retryable_error,
)
from flyte_sidecar.backends.flyte.rpc.run_service import pause
from flyte_sidecar.backends.flyte.rpc.transport import InvalidResponse, RpcError
from flyte_sidecar.backends.flyte.watch.informers import Informers
from flyte_sidecar.backends.flyte.watch.part import Part
from flyte_sidecar.backends.flyte.watch.schedule import GROWTH
from flyte_sidecar.backends.flyte.watch.troubles import PERSISTENT, Trouble, defect
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import PAUSED, Event, Run
from flyte_sidecar.events.watch_feed import WatchFeed

POLL = 13.0
"""Longest interval in seconds between polls for runs with pending events."""

POLL_SOON = 1.0
"""The interval after a change; it grows while nothing changes."""

RUNS_PER_SECOND = 100
"""Runs that are listed, where all of them are listed again and again."""


class Inbox:
    """One watch of all pending events of a scope.

    Parameters
    ----------
    watch
        What is fed.
    runs, informers, address
        What is asked where.
    """

    def __init__(self, watch: WatchFeed, runs: Runs, informers: Informers, address: str) -> None:
        self._watch = watch
        self._runs = runs
        self._informers = informers
        self._address = address
        self._parts: dict[Run, Part] = {}
        self._unsynced: set[Part] = set()
        self._over: set[Run] = set()  # those that are over, and in which nothing is pending
        self._synced = False
        self._away = True  # while it is not known which runs there are
        self._interval = POLL_SOON
        self._list_due = 0.0
        self._stirred = asyncio.Event()
        self._failed: Exception | None = None

    async def follow(self) -> None:
        """Feed the watch until it is cancelled; raises what cannot be mended."""
        failures = 0
        trouble = Trouble(0, 0.0)
        try:
            while True:
                self._away = True
                try:
                    await self._poll()
                    self._away = False
                    failures = trouble.failures = 0
                    self._sync()
                except RpcError as failure:
                    if not may_recover(failure):
                        raise as_error(failure, self._address) from failure
                    failures += 1
                    self._watch.disconnect(retryable_error(failure, self._address))
                except Exception as fault:
                    failures += 1
                    trouble.failures += 1
                    error = defect(fault, "the runs with pending events", trouble)
                    if trouble.failures >= PERSISTENT:
                        self._watch.disconnect(error)
                await self._rest(failures)
                if self._failed is not None:
                    raise self._failed
        finally:
            for part in self._parts.values():
                part.stop()

    def put(self, event: Event) -> None:
        """Report the state of an event of a run."""
        # What is only queued cannot be told from what is just being made.
        if event.phase == PAUSED or not event.pending:
            self._watch.put(event)

    def remove(self, event: Event) -> None:
        """Report that an event is gone."""
        self._watch.remove(event)

    def sync(self, part: Part) -> None:
        """Report that everything known of a run was put."""
        self._unsynced.discard(part)
        self._sync()

    def disconnect(self, part: Part, error: SidecarError) -> None:
        """Report that a run cannot be followed for now."""
        self._unsynced.add(part)
        self._watch.disconnect(error)

    def survives(self, part: Part, error: Exception) -> bool:
        """Return whether a part goes on after an error; if not, the watch ends with it."""
        self._unsynced.add(part)
        survives = self._synced and getattr(error, "retryable", False)
        if not survives:
            self._failed = error
            self.stir()
        return bool(survives)

    def stir(self) -> None:
        """Poll soon: something has happened to a run."""
        self._stirred.set()

    def _sync(self) -> None:
        if not (self._away or self._unsynced):
            self._synced = True
            self._watch.sync()

    async def _poll(self) -> None:
        """Find the runs with pending events: follow new ones, and leave those that have none.

        The runs that were updated last are on one page; all of them are listed at times, for
        an answer does not update its run.
        """
        loop = asyncio.get_running_loop()
        scope = self._watch.selector.scope
        found: list[Found] = []
        whole = False
        if loop.time() < self._list_due:
            found, whole = await self._runs.updated(scope)
        if not whole and not (found and self._knows(found[-1].run)):
            found, whole = await self._runs.with_paused(scope), True
        news = [one for one in found if not self._knows(one.run)]
        for one, waits in zip(news, await each(news, self._may_wait), strict=True):
            if waits:
                self._add(one.run)
            else:
                self._over.add(one.run)
        phases = {one.run: one.phase for one in found}
        if whole:
            self._list_due = loop.time() + max(POLL, len(found) / RUNS_PER_SECOND)
            self._over &= phases.keys()
        for run, part in [*self._parts.items()]:
            gone = whole and run not in phases
            over = part.over or phases.get(run) in FINAL
            if part.over or (part.synced and not part.pending and (gone or over)):
                self._drop(run, part)
                if over:
                    self._over.add(run)
            elif gone:
                self._informers.look(run)  # it has not heard of the last end yet

    def _knows(self, run: Run) -> bool:
        return run in self._parts or run in self._over

    async def _may_wait(self, found: Found) -> bool:
        """Return whether something may be pending in a run, or will be.

        Some releases list each run, or each one that ever had an event; those that are over
        may be thousands.
        """
        if found.phase not in FINAL:
            return True
        try:
            (count,) = await self._runs.counts([found.run])
        except RpcError as failure:
            if isinstance(failure, InvalidResponse):
                return True
            raise
        except Exception as fault:
            defect(fault, f"run {found.run.name!r}")
            return True
        return count > 0

    def _add(self, run: Run) -> None:
        part = self._parts[run] = Part(self, partial(self._informers.watch, run=run))
        self._unsynced.add(part)

    def _drop(self, run: Run, part: Part) -> None:
        part.stop()
        self._unsynced.discard(part)
        del self._parts[run]

    async def _rest(self, failures: int) -> None:
        """Wait until the next poll, which is soon after a change."""
        if failures:
            await asyncio.sleep(pause(failures))
            return
        jitter = random.uniform(0.9, 1.1)  # noqa: S311  nothing is hidden by it
        begun = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._interval * jitter):
                await self._stirred.wait()
        self._interval = min(POLL, self._interval * GROWTH)
        if self._stirred.is_set():
            self._stirred.clear()
            self._interval = POLL_SOON
            await asyncio.sleep(begun + POLL_SOON * jitter - asyncio.get_running_loop().time())
