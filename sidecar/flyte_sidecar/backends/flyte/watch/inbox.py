"""Watching the pending events of all runs of a scope.

No stream reports which runs have any: they are polled, and each of them is followed.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from flyte_sidecar.backends.flyte.read.events import map_concurrently
from flyte_sidecar.backends.flyte.read.runs import ListedRun, RunLister
from flyte_sidecar.backends.flyte.rpc.enums import FINAL
from flyte_sidecar.backends.flyte.rpc.error_translation import (
    as_error,
    may_recover,
    retryable_error,
)
from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.backends.flyte.watch.informer_registry import Informers
from flyte_sidecar.backends.flyte.watch.refresh_failures import PERSISTENT_FAILURES, internal_error
from flyte_sidecar.backends.flyte.watch.subscribers import Subscribers, Subscription
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import PAUSED, Event, Run, Scope
from flyte_sidecar.events.watch_feed import Feed


class Inboxes:
    """The inboxes of one connection: one for each scope that somebody watches."""

    def __init__(self, runs: RunLister, informers: Informers, address: str, timing: Timing) -> None:
        self._runs = runs
        self._informers = informers
        self._address = address
        self._timing = timing
        self._inboxes: dict[Scope, Inbox] = {}

    async def watch(self, feed: Feed, scope: Scope) -> None:
        """Feed a watch until it is cancelled; raises an error from which it cannot recover."""
        inbox = self._inboxes.get(scope)
        if inbox is None:
            inbox = Inbox(scope, self._runs, self._informers, self._address, self._timing)
            self._inboxes[scope] = inbox
        subscription = inbox.subscribe(feed)
        try:
            await subscription.done
        finally:
            inbox.subscribers.remove_watch(subscription)
            if not inbox.subscribers and self._inboxes.get(scope) is inbox:
                del self._inboxes[scope]
                inbox.close()

    def close(self, error: SidecarError) -> None:
        """End every watch with an error."""
        while self._inboxes:
            _, inbox = self._inboxes.popitem()
            inbox.subscribers.fail(error)
            inbox.close()


class Inbox:
    """The pending events of all runs of a scope, for all watches of it."""

    def __init__(
        self, scope: Scope, runs: RunLister, informers: Informers, address: str, timing: Timing
    ) -> None:
        self.subscribers = Subscribers()
        self.informers = informers
        self.timing = timing
        self._scope = scope
        self._runs = runs
        self._address = address
        self._feeds: dict[Run, RunFeed] = {}
        self._over: set[Run] = set()  # those that are over, and in which nothing is pending
        self._polled: list[Subscription] = []  # watches older than the last successful poll
        self._interval = timing.inbox_interval
        self._list_due = 0.0
        self._poll_now = False
        self._woken = asyncio.Event()
        self._task = asyncio.ensure_future(self._follow())

    def subscribe(self, feed: Feed) -> Subscription:
        """Add a watch, and bring all runs up to date for it."""
        for run_feed in self._feeds.values():
            for event in run_feed.pending():
                if event.phase == PAUSED:
                    feed.put(event)
            run_feed.renew()
        self._poll_now = True
        self.wake()
        return self.subscribers.add_watch(feed)

    def close(self) -> None:
        """Follow nothing any more."""
        self._task.cancel()
        for feed in self._feeds.values():
            feed.close()

    def wake(self) -> None:
        """Poll soon: something has changed in a run."""
        self._woken.set()

    def sync(self) -> None:
        """Report to watches that all current events were delivered, if that is so."""
        if all(feed.synced for feed in self._feeds.values()):
            self.subscribers.sync(self._polled)

    def fail(self, error: SidecarError) -> None:
        """End the watches that an error of one run ends."""
        self.subscribers.fail(error, unsynced=error.retryable)

    async def _follow(self) -> None:
        failures = defects = 0
        while True:
            current = [*self.subscribers.watches]
            self._poll_now = False
            try:
                await self._poll()
                self._polled = current
                failures = defects = 0
                self.sync()
            except RpcError as failure:
                failures += 1
                if may_recover(failure):
                    self._lose(retryable_error(failure, self._address))
                else:
                    self.subscribers.fail(as_error(failure, self._address))
            except Exception as fault:
                failures += 1
                defects += 1
                error = internal_error(fault, "the runs with pending events", defects)
                if defects >= PERSISTENT_FAILURES:
                    self._lose(error)
            await self._wait(failures)

    def _lose(self, error: SidecarError) -> None:
        self._polled = []
        self.subscribers.disconnect(error)

    async def _poll(self) -> None:
        """Find the runs with pending events: follow new ones, and leave those that have none.

        The runs that were updated last are on one page; all of them are listed at times, since
        an answer does not update its run.
        """
        loop = asyncio.get_running_loop()
        found: list[ListedRun] = []
        whole = False
        if loop.time() < self._list_due:
            found, whole = await self._runs.updated(self._scope)
        if not whole and not (found and self._knows(found[-1].run)):
            found, whole = await self._runs.with_paused(self._scope), True
        news = [one for one in found if not self._knows(one.run)]
        for one, waits in zip(news, await map_concurrently(news, self._may_wait), strict=True):
            if waits:
                self._feeds[one.run] = RunFeed(self, one.run)
            else:
                self._over.add(one.run)
        phases = {one.run: one.phase for one in found}
        if whole:
            pace = len(found) / self.timing.runs_per_second
            self._list_due = loop.time() + max(self.timing.max_inbox_interval, pace)
            self._over &= phases.keys()
        for run, feed in [*self._feeds.items()]:
            gone = whole and run not in phases
            over = feed.over or phases.get(run) in FINAL
            if feed.over or (feed.synced and (gone or over) and not feed.pending()):
                feed.close()
                del self._feeds[run]
                if over:
                    self._over.add(run)
            elif gone:
                self.informers.resync(run)  # its last answer was not reported yet

    def _knows(self, run: Run) -> bool:
        return run in self._feeds or run in self._over

    async def _may_wait(self, found: ListedRun) -> bool:
        """Return whether an event may be pending in a run, or may be created.

        Some releases list each run, or each one that ever had an event; those that are over
        may be thousands.
        """
        if found.phase not in FINAL:
            return True
        try:
            (count,) = await self._runs.count_pending([found.run])
        except RpcError as failure:
            if isinstance(failure, InvalidResponse):
                return True
            raise
        except Exception as fault:
            internal_error(fault, f"run {found.run.name!r}")
            return True
        return count > 0

    async def _wait(self, failures: int) -> None:
        """Wait until the next poll, which is soon after a change."""
        jitter = random.uniform(0.9, 1.1)  # noqa: S311  jitter is no secret
        loop = asyncio.get_running_loop()
        begun = loop.time()
        longest = self.timing.backoff(failures) if failures else self._interval * jitter
        shortest = longest if failures else self.timing.inbox_interval * jitter
        changed = False
        while not self._poll_now and (left := begun + longest - loop.time()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._woken.wait()
            if self._woken.is_set():
                self._woken.clear()
                changed, longest = True, min(longest, shortest)
        if changed:
            self._interval = self.timing.inbox_interval
        elif not failures:
            grown = self._interval * self.timing.interval_growth
            self._interval = min(self.timing.max_inbox_interval, grown)


class RunFeed:
    """The events of one run for an inbox; it subscribes again when it has failed.

    Attributes
    ----------
    synced
        Whether all current events were delivered.
    over
        Whether nothing more can change in the run.
    """

    def __init__(self, inbox: Inbox, run: Run) -> None:
        self.synced = False
        self.over = False
        self._inbox = inbox
        self._informers = inbox.informers
        self._run = run
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._subscription: Subscription | None = None
        self._start()

    def pending(self) -> list[Event]:
        """Return the events of the run that are pending."""
        return [event for event in self._informers.events(self._run).values() if event.pending]

    def renew(self) -> None:
        """Become synced anew, once the run was listed again."""
        if self._timer is None and not self.over:
            former = self._subscription
            self._subscribe()
            self._unsubscribe(former)

    def close(self) -> None:
        """Deliver nothing more: nobody would report the end of an event."""
        if self._timer is not None:
            self._timer.cancel()
        former, self._subscription = self._subscription, None
        self._unsubscribe(former)

    # The run's subscribers call these.

    def put(self, event: Event) -> None:
        # What is only queued cannot be told from what is just being created.
        if event.phase == PAUSED or not event.pending:
            self._inbox.subscribers.on_update(event)
        self._inbox.wake()

    def remove(self, event: Event) -> None:
        self._inbox.subscribers.on_remove(event)

    def sync(self) -> None:
        self.synced = True
        self._failures = 0
        self._inbox.sync()

    def disconnect(self, error: SidecarError) -> None:
        if not self.synced:
            raise error
        self.synced = False
        self._inbox.subscribers.disconnect(error)

    def _start(self) -> None:
        self._timer = None
        self._subscribe()
        for event in [*self._informers.events(self._run).values()]:
            self.put(event)

    def _subscribe(self) -> None:
        self.synced = False
        self._subscription = self._informers.subscribe(self, self._run)
        self._subscription.done.add_done_callback(self._on_end)

    def _unsubscribe(self, subscription: Subscription | None) -> None:
        if subscription is not None:
            self._informers.unsubscribe(subscription, self._run)

    def _on_end(self, done: asyncio.Future[None]) -> None:
        if self._subscription is None or done is not self._subscription.done:
            return  # it was closed or renewed
        self.close()
        self.synced = False
        error = done.exception()
        if error is None:
            self.over = True
            self._inbox.wake()
        elif isinstance(error, SidecarError):
            self._failures += 1
            delay = self._inbox.timing.backoff(self._failures)
            self._timer = asyncio.get_running_loop().call_later(delay, self._start)
            self._inbox.fail(error)
