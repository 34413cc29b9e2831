"""Watches that merge the watches of several backends."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Sequence

from flyte_sidecar._futures import resolve, try_set_result, wait_all
from flyte_sidecar.backends.merged.listing import unresponsive
from flyte_sidecar.backends.merged.timing import MergeTiming
from flyte_sidecar.errors import ShuttingDown, SidecarError
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.intern_pool import EventKey, InternPool, event_key
from flyte_sidecar.events.model import BackendName, Event, Run, Scope, without_details
from flyte_sidecar.events.watch_feed import WatchFeed, WatchSelector

_PENDING_POOL: InternPool[Event] = InternPool(operator.eq)
"""The pending events without their details, which the watches share."""


class MergedWatch:
    """Feeds one watch from several backends.

    No error of a backend ends the watch, unless the feed needs one that can be watched. The backend
    counts as disconnected, and is watched again once it responds. The watch is synced when every
    backend has reported its current events or is disconnected, and one of them has.

    A watch of a run follows only the first backend that reports an event of it.
    """

    def __init__(
        self,
        feed: WatchFeed,
        backends: Sequence[tuple[EventBackend, Scope]],
        timing: MergeTiming,
    ) -> None:
        self.feed = feed
        self._watches = [_BackendWatch(self, backend, scope, timing) for backend, scope in backends]
        self._tasks: dict[_BackendWatch, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Report events until nothing can change any more."""
        self._tasks = {watch: asyncio.ensure_future(watch.run()) for watch in self._watches}
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

    def follows(self, watch: _BackendWatch) -> bool:
        """Return whether the events of a backend are still reported."""
        return watch in self._watches

    def follow_only(self, watch: _BackendWatch) -> None:
        """Stop following the other backends: the run is not theirs."""
        for other in [other for other in self._watches if other is not watch]:
            self._watches.remove(other)
            self._tasks.pop(other).cancel()
            other.reconnected()
        self.sync()

    def sync(self) -> None:
        """Report that all current events were put, once that is so."""
        settled = all(watch.synced or watch.error is not None for watch in self._watches)
        if settled and any(watch.synced for watch in self._watches):
            self.feed.sync()

    def check_backends(self) -> None:
        """Raise the error of the last backend if the feed needs one, and none can be watched."""
        if self.feed.needs_backend:
            errors = [watch.error for watch in self._watches]
            if all(error is not None and not error.retryable for error in errors):
                assert errors[-1] is not None
                raise errors[-1]


class _BackendWatch:
    """The watch of one backend: a `WatchFeed` for it.

    Attributes
    ----------
    synced
        Whether all current events were put, once.
    error
        Why the backend counts as disconnected; None if it does not.
    """

    needs_backend = False

    def __init__(
        self, merged: MergedWatch, backend: EventBackend, scope: Scope, timing: MergeTiming
    ) -> None:
        outer = merged.feed.selector
        self.selector = WatchSelector(scope=scope, run_name=outer.run_name, parent=outer.parent)
        self.synced = False
        self.error: SidecarError | None = None
        self._merged = merged
        self._feed = merged.feed
        self._backend = backend
        self._name: BackendName = backend.kind
        self._timing = timing
        self._failures = 0
        self._timeout: asyncio.TimerHandle | None = None
        self._pending: dict[EventKey, Event] = {}
        self._missing: dict[EventKey, Event] = {}
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
            self._merged.check_backends()
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
        self._start_timeout()
        try:
            await asyncio.wait({watching, self._listed}, return_when=asyncio.FIRST_COMPLETED)
            self._stop_timeout()
            if not watching.done():
                await self._report_missing()
                self._report_synced()
            await watching
        finally:
            self._stop_timeout()
            watching.cancel()
            await wait_all([watching])

    def _start_timeout(self) -> None:
        """Count the backend as disconnected if it puts no event for a while from now on."""
        self._stop_timeout()
        timeout = self._timing.response_timeout
        self._timeout = asyncio.get_running_loop().call_later(
            timeout, self.disconnect, unresponsive(self._name, timeout)
        )

    def _stop_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    async def _report_missing(self) -> None:
        """Report the events that ended while the backend was not watched."""
        for event in [*self._missing.values()]:
            found = await resolve(self._backend.find(event.target))
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
        if self.error is not None:
            self.error = None
            self._feed.sync(self._name)

    # The backend calls these.

    @property
    def full(self) -> bool:
        return self._feed.full

    def has_event(self, run: Run, action_name: str) -> bool:
        return self._feed.has_event(run, action_name)

    async def room(self) -> None:
        lists = self._timeout is not None
        self._stop_timeout()  # it is the client that does not respond
        await self._feed.room()
        if lists and not self._listed.done():
            self._start_timeout()

    def put(self, event: Event) -> None:
        if self._timeout is not None:
            self._start_timeout()
        if not (self.selector.matches(event) and self._merged.follows(self)):
            return
        key = event_key(event)
        self._missing.pop(key, None)
        if event.pending:
            self._pending[key] = _PENDING_POOL.intern(key, without_details(event))
        else:
            self._pending.pop(key, None)
        self._feed.put(event)
        if self.selector.run_name is not None:
            self._merged.follow_only(self)

    def remove(self, event: Event) -> None:
        key = event_key(event)
        self._missing.pop(key, None)
        self._pending.pop(key, None)
        self._feed.remove(event)

    def sync(self, backend: BackendName | None = None) -> None:
        try_set_result(self._listed, None)
        if not self._missing:
            self._report_synced()

    def disconnect(self, error: SidecarError, backend: BackendName | None = None) -> None:
        if self._merged.follows(self):
            self.error = error
            self._feed.disconnect(error, self._name)
            self._merged.sync()
