"""Watches that merge the watches of several backends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from flyte_sidecar._futures import resolve, try_set_result, wait_all
from flyte_sidecar.backends.merged.listing import unresponsive
from flyte_sidecar.backends.merged.timing import MergeTiming
from flyte_sidecar.errors import ShuttingDown, SidecarError
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import BackendName, Event, Run, Scope, Target, without_details
from flyte_sidecar.events.watch_feed import WatchFeed, WatchSelector


class MergedWatch:
    """Feeds one watch from several backends.

    No error of a backend ends the watch. The backend counts as disconnected, and is watched again
    once it responds. The watch is synced when every backend has reported its current events or is
    disconnected, and one of them has.

    A watch of a run follows only the first backend that reports an event of it.
    """

    def __init__(
        self,
        feed: WatchFeed,
        backends: Sequence[tuple[EventBackend, Scope]],
        timing: MergeTiming,
    ) -> None:
        self.feed = feed
        self._parts = [_Part(self, backend, scope, timing) for backend, scope in backends]
        self._tasks: dict[_Part, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Report events until nothing can change any more."""
        self._tasks = {part: asyncio.ensure_future(part.run()) for part in self._parts}
        all_tasks = [*self._tasks.values()]
        try:
            while True:
                done, _ = await asyncio.wait(
                    self._tasks.values(), return_when=asyncio.FIRST_COMPLETED
                )
                for task in done & {*self._tasks.values()}:
                    return task.result()
        finally:
            for task in all_tasks:
                task.cancel()
            await wait_all(all_tasks)

    def follow_only(self, part: _Part) -> None:
        """Stop to follow the other backends: the run is not theirs."""
        for other in [other for other in self._parts if other is not part]:
            self._parts.remove(other)
            self._tasks.pop(other).cancel()
            other.reconnected()
        self.sync()

    def sync(self) -> None:
        """Report that all current events were put, once that is so."""
        settled = all(part.synced or part.disconnected for part in self._parts)
        if settled and any(part.synced for part in self._parts):
            self.feed.sync()


class _Part:
    """The events of one backend: a `WatchFeed` for it.

    Attributes
    ----------
    synced
        Whether all current events were put, once.
    disconnected
        Whether the watch was told that the backend is unreachable.
    """

    def __init__(
        self, merged: MergedWatch, backend: EventBackend, scope: Scope, timing: MergeTiming
    ) -> None:
        outer = merged.feed.selector
        self.selector = WatchSelector(scope=scope, run_name=outer.run_name, parent=outer.parent)
        self.synced = self.disconnected = False
        self._merged = merged
        self._feed = merged.feed
        self._backend = backend
        self._name: BackendName = backend.kind
        self._timing = timing
        self._failures = 0
        self._responds = self._waits_for_client = False
        self._pending: dict[tuple[Run, str], Event] = {}
        self._missing: dict[tuple[Run, str], Event] = {}
        self._listed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Follow the backend, again and again if that fails."""
        while True:
            try:
                await self._watch()
                return
            except ShuttingDown:
                raise
            except SidecarError as error:
                self._failures += 1
                self.disconnect(error)
            await asyncio.sleep(self._timing.backoff(self._failures))
            # This asks nobody to log in, which each watch may.
            while not await self._backend.healthy():
                self._failures += 1
                await asyncio.sleep(self._timing.backoff(self._failures))

    async def _watch(self) -> None:
        """Follow the backend until nothing can change any more; raise the error that ends it."""
        self._missing = {**self._pending}
        self._listed = asyncio.get_running_loop().create_future()
        watching = asyncio.ensure_future(self._backend.watch(self))
        first: set[asyncio.Future[None]] = {watching, self._listed}
        try:
            while not await self._wait(first):
                if not (self._responds or self._waits_for_client):
                    self.disconnect(unresponsive(self._name, self._timing.response_timeout))
                self._responds = False
            if not watching.done():
                await self._report_missing()
                self._report_synced()
            await watching
        finally:
            watching.cancel()
            await wait_all([watching])

    async def _wait(self, futures: set[asyncio.Future[None]]) -> bool:
        """Return whether one of the futures is done within the timeout."""
        done, _ = await asyncio.wait(
            futures,
            timeout=self._timing.response_timeout,
            return_when=asyncio.FIRST_COMPLETED,
        )
        return bool(done)

    async def _report_missing(self) -> None:
        """Report the events that ended while the backend was not watched."""
        for (run, action_name), event in [*self._missing.items()]:
            found = await resolve(self._backend.find(Target(run, action_name=action_name)))
            if found is None:
                self.remove(event)
            else:
                self.put(found)

    def _report_synced(self) -> None:
        self.synced = True
        self._failures = 0
        self.reconnected()
        self._merged.sync()

    def reconnected(self) -> None:
        """Report that the backend is reachable again."""
        if self.disconnected:
            self.disconnected = False
            self._feed.sync(self._name)

    # The backend calls these.

    @property
    def full(self) -> bool:
        return self._feed.full

    def has_event(self, run: Run, action_name: str) -> bool:
        return self._feed.has_event(run, action_name)

    async def room(self) -> None:
        self._waits_for_client = True
        try:
            await self._feed.room()
        finally:
            self._waits_for_client, self._responds = False, True

    def put(self, event: Event) -> None:
        self._responds = True
        if not self.selector.matches(event):
            return
        key = (event.run, event.action_name)
        self._missing.pop(key, None)
        if event.pending:
            self._pending[key] = without_details(event)
        else:
            self._pending.pop(key, None)
        self._feed.put(event)
        if self.selector.run_name is not None:
            self._merged.follow_only(self)

    def remove(self, event: Event) -> None:
        key = (event.run, event.action_name)
        self._missing.pop(key, None)
        self._pending.pop(key, None)
        self._feed.remove(event)

    def sync(self, backend: BackendName | None = None) -> None:
        try_set_result(self._listed, None)
        if not self._missing:
            self._report_synced()

    def disconnect(self, error: SidecarError, backend: BackendName | None = None) -> None:
        self.disconnected = True
        self._feed.disconnect(error, self._name)
        self._merged.sync()
