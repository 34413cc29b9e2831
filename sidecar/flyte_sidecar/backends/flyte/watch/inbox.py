"""Watching the pending events of all runs of a scope.

No stream reports which runs have pending events: these runs are polled, and each is followed.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from flyte_sidecar.backends.flyte.read.events import map_concurrently
from flyte_sidecar.backends.flyte.read.runs import ListedRun, RunLister
from flyte_sidecar.backends.flyte.rpc.enums import FINAL
from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.backends.flyte.watch.informer_registry import Informers
from flyte_sidecar.backends.flyte.watch.refresh_failures import PERSISTENT_FAILURES, internal_error
from flyte_sidecar.backends.flyte.watch.subscribers import Subscribers, Subscription
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import PAUSED, Event, Run, Scope
from flyte_sidecar.events.watch_feed import Feed


class Inboxes:
    """The inboxes of one connection: one for each scope that is watched."""

    def __init__(self, runs: RunLister, informers: Informers, address: str, timing: Timing) -> None:
        self._runs = runs
        self._informers = informers
        self._address = address
        self._timing = timing
        self._inboxes: dict[Scope, Inbox] = {}

    async def watch(self, feed: Feed, scope: Scope) -> None:
        """Deliver updates to a watch until it is cancelled, or fails with a permanent error."""
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
        self._finished: set[Run] = set()  # runs that have ended, and have no pending events
        self._polled: list[Subscription] = []  # watches older than the last successful poll
        self._interval = timing.inbox_interval
        self._list_due = 0.0
        self._poll_now = False
        self._woken = asyncio.Event()
        self._task = asyncio.ensure_future(self._follow())

    def subscribe(self, feed: Feed) -> Subscription:
        """Add a watch, and resync all runs for it."""
        for run_feed in self._feeds.values():
            for event in run_feed.pending():
                if event.phase == PAUSED:
                    feed.put(event)
            run_feed.resubscribe()
        self._poll_now = True
        self.wake()
        return self.subscribers.add_watch(feed)

    def close(self) -> None:
        """Stop following the runs."""
        self._task.cancel()
        for feed in self._feeds.values():
            feed.close()

    def wake(self) -> None:
        """Poll soon: something has changed in a run."""
        self._woken.set()

    def sync(self) -> None:
        """Report to the watches that they are synced, once all runs are."""
        if all(feed.synced for feed in self._feeds.values()):
            self.subscribers.sync(self._polled)

    async def _follow(self) -> None:
        failures = internal_errors = 0
        while True:
            current = [*self.subscribers.watches]
            self._poll_now = False
            try:
                await self._poll()
                self._polled = current
                failures = internal_errors = 0
                self.sync()
            except RpcError as failure:
                failures += 1
                self._polled = []
                self.subscribers.report_failure(failure, self._address)
            except Exception as exception:
                failures += 1
                internal_errors += 1
                error = internal_error(exception, "the runs with pending events", internal_errors)
                if internal_errors >= PERSISTENT_FAILURES:
                    self._polled = []
                    self.subscribers.disconnect(error)
            await self._wait(failures)

    async def _poll(self) -> None:
        """Follow new runs with pending events, and stop following those that have none left.

        Usually one page is enough, with the runs that were updated last. An answer does not update
        its run, so all runs are listed at intervals.
        """
        loop = asyncio.get_running_loop()
        found: list[ListedRun] = []
        complete = False
        if loop.time() < self._list_due:
            found, complete = await self._runs.updated(self._scope)
        if not complete and not (found and self._is_tracked(found[-1].run)):
            found, complete = await self._runs.with_paused(self._scope), True
        new = [listed for listed in found if not self._is_tracked(listed.run)]
        may_be_pending = await map_concurrently(new, self._may_have_pending_events)
        for listed, follow in zip(new, may_be_pending, strict=True):
            if follow:
                self._feeds[listed.run] = RunFeed(self, listed.run)
            else:
                self._finished.add(listed.run)
        phases = {listed.run: listed.phase for listed in found}
        if complete:
            interval = len(found) / self.timing.runs_per_second
            self._list_due = loop.time() + max(self.timing.max_inbox_interval, interval)
            self._finished &= phases.keys()
        for run, feed in [*self._feeds.items()]:
            gone = complete and run not in phases
            ended = feed.finished or phases.get(run) in FINAL
            if feed.finished or (feed.synced and (gone or ended) and not feed.pending()):
                feed.close()
                del self._feeds[run]
                if ended:
                    self._finished.add(run)
            elif gone:
                self.informers.resync(run)  # its last answer is not reported yet

    def _is_tracked(self, run: Run) -> bool:
        return run in self._feeds or run in self._finished

    async def _may_have_pending_events(self, found: ListedRun) -> bool:
        """Return whether an event may be pending in a run, or may be created.

        Some releases list all runs, or all that ever had an event: thousands of them may have
        ended.
        """
        if found.phase not in FINAL:
            return True
        try:
            (count,) = await self._runs.count_pending([found.run])
        except InvalidResponse:
            return True
        except RpcError:
            raise
        except Exception as exception:
            internal_error(exception, f"run {found.run.name!r}")
            return True
        return count > 0

    async def _wait(self, failures: int) -> None:
        """Wait until the next poll, which is soon after a change."""
        jitter = random.uniform(0.9, 1.1)  # noqa: S311  jitter is no secret
        loop = asyncio.get_running_loop()
        started = loop.time()
        longest = self.timing.backoff(failures) if failures else self._interval * jitter
        shortest = longest if failures else self.timing.inbox_interval * jitter
        changed = False
        while not self._poll_now and (left := started + longest - loop.time()) > 0:
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
    """The events of one run for an inbox; subscribes again after a failure.

    Attributes
    ----------
    synced
        Whether all current events were delivered.
    finished
        Whether nothing more can change in the run.
    """

    def __init__(self, inbox: Inbox, run: Run) -> None:
        self.synced = False
        self.finished = False
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

    def resubscribe(self) -> None:
        """Become synced again once the run has been listed again."""
        if self._timer is None and not self.finished:
            previous = self._subscription
            self._subscribe()
            self._unsubscribe(previous)

    def close(self) -> None:
        """Stop delivering events."""
        if self._timer is not None:
            self._timer.cancel()
        previous, self._subscription = self._subscription, None
        self._unsubscribe(previous)

    # The run's subscribers call these.

    def put(self, event: Event) -> None:
        # A queued event may still be in creation.
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
            return  # it was closed or replaced
        self.close()
        self.synced = False
        error = done.exception()
        if error is None:
            self.finished = True
            self._inbox.wake()
        elif isinstance(error, SidecarError):
            self._failures += 1
            delay = self._inbox.timing.backoff(self._failures)
            self._timer = asyncio.get_running_loop().call_later(delay, self._start)
            self._inbox.subscribers.fail(error, unsynced=error.retryable)
