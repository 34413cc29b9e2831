"""The subscribers of a run, or of an inbox: waits and watches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from flyte_sidecar._futures import retrieve_exception, try_set_exception, try_set_result
from flyte_sidecar.backends.flyte.rpc.error_translation import (
    as_error,
    may_recover,
    retryable_error,
)
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.watch_feed import Feed


class Subscription(Struct, eq=False):
    """A watch among the subscribers.

    Attributes
    ----------
    done
        Done when nothing more can be delivered.
    synced
        Whether all current events were delivered.
    """

    feed: Feed
    done: asyncio.Future[None]
    synced: bool = False


class Subscribers:
    """The watches of a run or an inbox, and the waits for events of a run.

    Attributes
    ----------
    waits
        By action name.
    changed
        Whether any event was delivered since this was set to false.
    """

    def __init__(self) -> None:
        self.waits: dict[str, set[asyncio.Future[Event]]] = {}
        self.watches: dict[Subscription, None] = {}  # in order
        self.changed = False

    def __bool__(self) -> bool:
        return bool(self.waits or self.watches)

    @property
    def synced(self) -> bool:
        """Whether all current events were delivered to any watch."""
        return any(subscription.synced for subscription in self.watches)

    def add_wait(self, action: str) -> asyncio.Future[Event]:
        """Return a future of an event that is no longer pending."""
        waiting: asyncio.Future[Event] = _future()
        self.waits.setdefault(action, set()).add(waiting)
        return waiting

    def remove_wait(self, action: str, waiting: asyncio.Future[Event]) -> None:
        self.waits[action].remove(waiting)
        if not self.waits[action]:
            del self.waits[action]

    def add_watch(self, feed: Feed) -> Subscription:
        """Add a watch; the caller delivers the cached events."""
        subscription = Subscription(feed, _future())
        self.watches[subscription] = None
        return subscription

    def remove_watch(self, subscription: Subscription) -> None:
        del self.watches[subscription]

    # The cache calls these, with each event that has changed.

    def on_update(self, event: Event) -> None:
        self.changed = True
        for subscription in self.watches:
            subscription.feed.put(event)

    def on_resolved(self, event: Event) -> None:
        for waiting in self.waits.get(event.action_name, ()):
            try_set_result(waiting, event)

    def on_remove(self, event: Event) -> None:
        self.changed = True
        for subscription in self.watches:
            subscription.feed.remove(event)

    # The informer calls these; it delivers no events.

    def sync(self, subscriptions: Iterable[Subscription]) -> None:
        """Report to those of the watches that are still open that they have all current events."""
        for subscription in subscriptions:
            if subscription in self.watches:
                subscription.synced = True
                subscription.feed.sync()

    def disconnect(self, error: SidecarError) -> None:
        """Report that the backend is unreachable for now; this ends a watch that is not synced."""
        for subscription in self.watches:
            try:
                subscription.feed.disconnect(error)
            except SidecarError as reported:
                _fail([subscription.done], reported)

    def report_failure(self, failure: RpcError, address: str) -> None:
        """Report that the backend is unreachable for now, or end everything with an error."""
        if may_recover(failure):
            self.disconnect(retryable_error(failure, address))
        else:
            self.fail(as_error(failure, address))

    def finish(self) -> None:
        """End the watches that are synced: nothing can change any more."""
        for subscription in self.watches:
            if subscription.synced:
                try_set_result(subscription.done, None)

    def fail(self, error: Exception, *, unsynced: bool = False) -> None:
        """End every wait and watch with an error, or only the watches that are not synced."""
        watches = [watch for watch in self.watches if not (unsynced and watch.synced)]
        _fail((watch.done for watch in watches), error)
        for action in () if unsynced else self.waits:
            self.fail_waits(action, error)

    def fail_waits(self, action: str, error: Exception) -> None:
        """End the waits for an event with an error."""
        _fail(self.waits.get(action, ()), error)


def _fail(futures: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    for future in futures:
        try_set_exception(future, error)


def _future() -> asyncio.Future[Any]:
    """Return a future whose error may stay unread: its reader may be cancelled at the same time."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.add_done_callback(retrieve_exception)
    return future
