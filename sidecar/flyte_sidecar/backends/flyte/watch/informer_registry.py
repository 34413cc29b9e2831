"""The informers of one connection: one for each run that has subscribers."""

from __future__ import annotations

from collections.abc import Mapping

from flyte_sidecar._futures import prefer_result, wait_all
from flyte_sidecar.backends.flyte.read.events import EventReader
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.watch.informer import RunInformer
from flyte_sidecar.backends.flyte.watch.schedule import SharedRates
from flyte_sidecar.backends.flyte.watch.subscribers import Subscription
from flyte_sidecar.errors import ShuttingDown
from flyte_sidecar.events.model import Event, Run
from flyte_sidecar.events.watch_feed import Feed


class Informers:
    """Starts an informer with the first subscriber of a run, and stops it with the last."""

    def __init__(
        self, service: RunService, reader: EventReader, address: str, rates: SharedRates
    ) -> None:
        self._service = service
        self._reader = reader
        self._cache = reader.cache
        self._address = address
        self._rates = rates
        self._informers: dict[Run, RunInformer] = {}
        self._closed = False
        reader.on_write_end = self._wake
        service.on_lost_database = self._on_lost_database

    async def resolved(self, event: Event) -> Event:
        """Wait until the event is no longer pending, and return its state then.

        Raises
        ------
        SidecarError
            If the event can no longer be followed.
        """
        run, action = event.run, event.action_name
        informer = self._informer_for(run)
        waiting = informer.subscribers.add_wait(action)
        informer.refresh(action)
        try:
            return await prefer_result(waiting)
        finally:
            informer.subscribers.remove_wait(action, waiting)
            self._release(run, informer)

    async def watch(self, feed: Feed, run: Run) -> None:
        """Deliver a run's events to a watch until nothing can change any more.

        Raises the same errors as `resolved`.
        """
        subscription = self.subscribe(feed, run)
        for event in self.events(run).values():
            feed.put(event)
        try:
            await subscription.done
        finally:
            self.unsubscribe(subscription, run)

    def subscribe(self, feed: Feed, run: Run) -> Subscription:
        """Deliver the changes of a run to a watch from now on, until `unsubscribe`.

        `sync` follows once all current events are in `events`.
        """
        informer = self._informer_for(run)
        self._cache.watch(run)
        subscription = informer.subscribers.add_watch(feed)
        informer.resync()
        return subscription

    def unsubscribe(self, subscription: Subscription, run: Run) -> None:
        informer = self._informers.get(run)
        if informer is not None and subscription in informer.subscribers.watches:
            informer.subscribers.remove_watch(subscription)
            self._release(run, informer)

    def events(self, run: Run) -> Mapping[str, Event]:
        """Return the cached events of a watched run by action."""
        return self._cache.watched(run)

    def resync(self, run: Run) -> None:
        """List a run soon, if it has an informer."""
        if run in self._informers:
            self._informers[run].resync()

    async def close(self) -> None:
        """End every wait and watch."""
        self._closed = True
        informers = {**self._informers}
        self._informers.clear()
        for run, informer in informers.items():
            informer.subscribers.fail(closing())
            self._cache.unfollow(run)
        await wait_all([informer.stop() for informer in informers.values()])

    def _on_lost_database(self) -> None:
        """Shorten the intervals of all runs: open streams may miss changes."""
        self._rates.record_database_loss()
        for informer in self._informers.values():
            informer.wake()

    def _wake(self, run: Run) -> None:
        if run in self._informers:
            self._informers[run].wake()

    def _informer_for(self, run: Run) -> RunInformer:
        if self._closed:
            raise closing()
        informer = self._informers.get(run)
        if informer is None:
            informer = self._informers[run] = RunInformer(
                run, self._service, self._reader, self._address, self._rates
            )
            self._cache.follow(run, informer.subscribers)
        return informer

    def _release(self, run: Run, informer: RunInformer) -> None:
        if self._informers.get(run) is not informer:
            return
        if not informer.subscribers.watches:
            self._cache.evict(run)  # the next watch must not start with stale events
        if not informer.subscribers:
            del self._informers[run]
            self._cache.unfollow(run)
            informer.stop()


def closing() -> ShuttingDown:
    """Return the error of waits and watches that end with their connection."""
    return ShuttingDown("the connection is being closed")
