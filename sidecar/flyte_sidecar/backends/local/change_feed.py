"""Telling waits and watches what any process has changed.

SQLite tells nobody of a commit, so while someone waits or watches, one tick asks it whether
another process has written: a few system calls and microseconds each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyte_sidecar._futures import retrieve_exception, try_set_exception, try_set_result
from flyte_sidecar.backends.local import rows
from flyte_sidecar.backends.local.documents import DamagedEvent
from flyte_sidecar.backends.local.error_translation import SQLITE_ERRORS, as_error, is_busy
from flyte_sidecar.backends.local.reader import StoreReader
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import PAUSED, Event

if TYPE_CHECKING:
    from flyte_sidecar.events.watch_feed import WatchFeed

RECHECK_INTERVAL = 0.4
"""Seconds for which a quiet store is trusted to be still in its place."""

TICK = 0.04
"""Seconds between two looks; a waiter hears of a change within 50 ms."""

_UNSEEN = -1


class ChangeFeed:
    """The waits and watches of one process on the events of one open store.

    Parameters
    ----------
    reader
        Reads the store.
    path
        The store's, for errors.
    expire
        Asks for events past their time to be recorded as such; the future is done after it.
    lost
        Told that the store cannot be used any longer; it calls `fail`.
    """

    def __init__(
        self,
        reader: StoreReader,
        path: str,
        expire: Callable[[], asyncio.Future[Any]],
        lost: Callable[[SidecarError], None],
    ) -> None:
        self._reader = reader
        self._path = path
        self._expire = expire
        self._lost = lost
        self._waiters: dict[str, set[asyncio.Future[Event]]] = {}
        self._watches: dict[asyncio.Future[None], WatchFeed] = {}
        self._revision = 0
        self._data_version = _UNSEEN
        self._next_expiry: int | None = None
        self._expiring: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._look_soon: asyncio.Handle | None = None

    def wait(self, event: Event) -> asyncio.Future[Event]:
        """Give a future of the event as it stands once it is resolved.

        A change made before this call may go untold: look at the event again after it.
        """
        self._begin()
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        key = event.action_name
        self._waiters.setdefault(key, set()).add(future)
        future.add_done_callback(lambda done: self._forget(key, done))
        return future

    def watch(self, watch: WatchFeed) -> asyncio.Future[None]:
        """Put what changes from now on into a watch, until the future that this gives is done.

        It fails when the store is lost, and is to be cancelled when the watch ends.
        """
        self._begin()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watches[future] = watch
        future.add_done_callback(self._forget_watch)
        return future

    def look(self) -> None:
        """Tell what has changed since the last look."""
        self._look_soon = None
        if not self._waiters and not self._watches:
            return
        if any(watch.full for watch in self._watches.values()):
            # The client of all of them does not read. Changes stay in the store until it does.
            self._data_version = _UNSEEN  # the next tick looks again
            return
        try:
            # Last, for what it gives is given once.
            self._next_expiry = self._reader.next_expiry()
            self._revision, changed, more = self._reader.changed_since(self._revision, self._wants)
        except SQLITE_ERRORS as error:
            self._fail_unless_busy(error)
            return
        for event in changed:
            if isinstance(event, DamagedEvent):
                self.give_up(event)
                continue
            for watch in self._watches.values():
                watch.put(event)
            if not event.pending:
                for future in self._waiters.get(event.action_name, ()):
                    try_set_result(future, event)
        if more and self._look_soon is None:
            self._look_soon = asyncio.get_running_loop().call_soon(self.look)

    def give_up(self, error: DamagedEvent) -> None:
        """End the waits for an event that is damaged."""
        for future in self._waiters.get(error.data["actionName"], ()):
            try_set_exception(future, error)

    def _begin(self) -> None:
        """Look from now on, unless somebody has asked for it already."""
        if not self._waiters and not self._watches:
            self._revision = self._reader.revision()
            self._data_version = _UNSEEN
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _wants(self, action: str, phase: str) -> bool:
        return bool(self._watches) or (phase != PAUSED and action in self._waiters)

    def fail(self, error: BaseException) -> None:
        """End every wait and watch with this error."""
        ending: list[asyncio.Future[Any]] = [*self._watches]
        for waits in self._waiters.values():
            ending += waits
        for future in ending:
            try_set_exception(future, error)

    def _tick(self) -> None:
        self._timer = None
        if not self._waiters and not self._watches:
            return
        self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)
        try:
            version = self._reader.data_version()
            # A newer release's migration shows as a change, a file that is gone does not.
            self._reader.recheck(0.0 if version != self._data_version else RECHECK_INTERVAL)
        except SidecarError as error:
            self._lost(error)
            return
        except SQLITE_ERRORS as error:
            self._fail_unless_busy(error)
            return
        if version != self._data_version:
            self._data_version = version
            self.look()
        expiring = self._expiring is not None and not self._expiring.done()
        if self._next_expiry is not None and self._next_expiry <= rows.now() and not expiring:
            self._expiring = self._expire()

    def _fail_unless_busy(self, error: Exception) -> None:
        if is_busy(error):
            self._data_version = _UNSEEN  # the next tick looks again
        else:
            self.fail(as_error(error, self._path, "none"))

    def _forget_watch(self, future: asyncio.Future[None]) -> None:
        del self._watches[future]
        retrieve_exception(future)

    def _forget(self, key: str, future: asyncio.Future[Event]) -> None:
        waiting = self._waiters[key]
        waiting.discard(future)
        if not waiting:
            del self._waiters[key]
        retrieve_exception(future)
