"""Those who wait for or watch the events of one run, and what they have been told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from flyte_sidecar._futures import retrieve_exception, try_set_exception, try_set_result
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import Event, without_details
from flyte_sidecar.events.watch_feed import Feed

LARGE = 4096
"""Characters of an answer that is not kept: it is told once."""


class Subscription(Struct, eq=False):
    """A watch's place in the subscribers.

    Attributes
    ----------
    done
        Done when nothing more can be told.
    whole
        Whether all was told that stands.
    """

    done: asyncio.Future[None]
    whole: bool = False


class Subscribers:
    """The waits and the watches of one run.

    Attributes
    ----------
    waits
        By the actions whose end they wait for.
    watches
        With their seats.
    picture
        The events as the watches were told of them.
    changes
        How often something was new to them.
    """

    def __init__(self) -> None:
        self.waits: dict[str, set[asyncio.Future[Event]]] = {}
        self.watches: dict[Feed, Subscription] = {}
        self.picture: dict[str, Event] = {}
        self.changes = 0

    def __bool__(self) -> bool:
        return bool(self.waits or self.watches)

    @property
    def unresolved(self) -> list[str]:
        """The events that are pending, as far as anyone here cares."""
        pending = {name for name, event in self.picture.items() if event.pending}
        return [*(pending | {*self.waits})]

    @property
    def over(self) -> bool:
        """Whether there are watches, and all that they know of is resolved."""
        return any(subscription.whole for subscription in self.watches.values()) and not any(
            event.pending for event in self.picture.values()
        )

    def add_wait(self, action: str) -> asyncio.Future[Event]:
        """Give a future of an event's end."""
        waiting: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(retrieve_exception)
        self.waits.setdefault(action, set()).add(waiting)
        return waiting

    def drop_wait(self, action: str, waiting: asyncio.Future[Event]) -> None:
        """Take a wait out."""
        its = self.waits[action]
        its.discard(waiting)
        if not its:
            del self.waits[action]

    def add_watch(self, watch: Feed) -> asyncio.Future[None]:
        """Tell a watch what is known, and give a future of its end."""
        for event in self.picture.values():
            watch.put(event)
        subscription = self.watches[watch] = Subscription(
            asyncio.get_running_loop().create_future()
        )
        subscription.done.add_done_callback(retrieve_exception)
        return subscription.done

    def drop_watch(self, watch: Feed) -> None:
        """Take a watch out."""
        del self.watches[watch]
        if not self.watches:
            self.picture = {}  # another one: who looks may see that it begins anew

    def tell(self, event: Event) -> None:
        """Say how an event stands."""
        name = event.action_name
        known = self.picture.get(name)
        if known is not None and event.pending and not known.pending:
            return  # it is stale
        if self.watches:
            light = _light(event)
            self.changes += light != known
            self.picture[name] = light
            for watch in self.watches:
                watch.put(event)
        if not event.pending:
            for waiting in self.waits.get(name, ()):
                try_set_result(waiting, event)

    def tell_gone(self, name: str, error: SidecarError) -> None:
        """Say that an event is gone; waits for it end with the error."""
        event = self.picture.pop(name, None)
        if event is not None:
            self.changes += 1
            for watch in self.watches:
                watch.remove(event)
        self.fail_waits(name, error)

    def fail_waits(self, name: str, error: SidecarError) -> None:
        """End the waits for an event with an error."""
        _fail(self.waits.get(name, ()), error)

    def sync(self, watches: Iterable[Feed]) -> None:
        """Say that these watches were told all that stands; some may have left."""
        for watch in watches:
            if watch in self.watches:
                self.watches[watch].whole = True
                watch.sync()

    def disconnect(self, error: SidecarError) -> None:
        """Say that the backend is lost for now; whoever has not been told all yet ends with it."""
        for watch, subscription in self.watches.items():
            try:
                watch.disconnect(error)
            except SidecarError as first:
                _fail([subscription.done], first)

    def finish(self) -> None:
        """Say that those who were told all will hear of nothing more."""
        for subscription in self.watches.values():
            if subscription.whole:
                try_set_result(subscription.done, None)

    def fail(self, error: Exception) -> None:
        """End every wait and watch with an error."""
        _fail((subscription.done for subscription in self.watches.values()), error)
        for waits in self.waits.values():
            _fail(waits, error)


def _fail(futures: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    for future in futures:
        try_set_exception(future, error)


def _light(event: Event) -> Event:
    payload = event.payload
    return without_details(event) if isinstance(payload, str) and len(payload) > LARGE else event
