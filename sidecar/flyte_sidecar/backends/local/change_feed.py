"""The change feed: delivers the changes that any process commits to waits and watches.

SQLite sends no notification of a commit. So while there are waits or watches, one timer polls
whether another process has written, which takes a few system calls and microseconds each time.

Only the changes of runs with a wait or a watch are selected. The event itself is read and decoded
only if a wait or a watch will report the change.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from flyte_sidecar._futures import retrieve_exception, try_set_exception, try_set_result
from flyte_sidecar.backends.local import reader, rows
from flyte_sidecar.backends.local.damaged_events import DamagedEvent
from flyte_sidecar.backends.local.error_translation import SQLITE_ERRORS, as_error, is_busy
from flyte_sidecar.backends.local.reader import ChangedRow, StoreReader, UnrecordedEnd
from flyte_sidecar.errors import EventNotFound, SidecarError
from flyte_sidecar.events.model import Event, Run, Scope, Target

if TYPE_CHECKING:
    from flyte_sidecar.events.watch_feed import WatchFeed

POLL_CHECK_INTERVAL = 0.4
"""Seconds after which a poll without changes checks that the same file is at the store's path."""

MAX_SELECTED_RUNS = 100
"""Maximum number of runs to select changes by; a longer list costs more than it saves."""

POLL_INTERVAL = 0.04
"""Seconds between two polls, so that a change is delivered within 50 ms."""

_UNKNOWN_VERSION = -1


class ChangeFeed:
    """The waits and watches of one process on the events of one open store.

    Parameters
    ----------
    store
        Reads the store.
    path
        The store's path, for errors.
    end_overdue
        Records the end of events that have expired or whose owner is gone; it raises nothing.
    on_lost
        Called when the store can no longer be used; it calls `fail`.
    """

    def __init__(
        self,
        store: StoreReader,
        path: str,
        end_overdue: Callable[[], Coroutine[Any, Any, None]],
        on_lost: Callable[[SidecarError], None],
    ) -> None:
        self._store = store
        self._path = path
        self._end_overdue = end_overdue
        self._on_lost = on_lost
        # By the id of the run's row, and the action.
        self._waits: dict[tuple[int | None, str], set[asyncio.Future[Event]]] = {}
        self._watches: dict[Run | Scope, dict[asyncio.Future[None], WatchFeed]] = {}
        self._subscriptions: Counter[Run | Scope] = Counter()  # waits and watches
        self._revision = 0
        self._data_version = _UNKNOWN_VERSION
        self._next_expiry: int | None = None
        self._ending: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next_page: asyncio.Handle | None = None

    def wait(self, event: Event) -> asyncio.Future[Event]:
        """Return a future of the event's state once it is resolved.

        A change before this call may be missed: read the event again after it.

        Raises
        ------
        EventNotFound
            If the store does not have the event's run.
        """
        run, action_name = event.run, event.action_name  # not the event, which may be large
        run_id = self._store.run_id(run)
        if run_id is None:
            raise EventNotFound(f"there is no {Target(run, action_name=action_name)}")
        self._subscribe(run)
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._waits.setdefault((run_id, action_name), set()).add(future)
        future.add_done_callback(lambda done: self._end_wait(run, (run_id, action_name), done))
        return future

    def watch(self, watch: WatchFeed) -> asyncio.Future[None]:
        """Put what changes from now on into a watch, until the returned future is done.

        The future fails if the store is lost; cancel it when the watch ends.
        """
        key = watch.selector.run or watch.selector.scope
        self._subscribe(key)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watches.setdefault(key, {})[future] = watch
        future.add_done_callback(lambda done: self._end_watch(key, done))
        return future

    def deliver(self) -> None:
        """Deliver what has changed since the last call, in the order of the changes."""
        self._next_page = None
        if not self._subscriptions:
            return
        if any(watch.full for watch in self._all_watches()):
            # All watches have one client: until it reads again, changes stay in the store.
            self._data_version = _UNKNOWN_VERSION  # the next poll calls this again
            return
        try:
            self._next_expiry = self._store.next_expiry()
            more = self._deliver_page()
        except SQLITE_ERRORS as error:
            self._fail_unless_busy(error)
            return
        if more and self._next_page is None:
            self._next_page = asyncio.get_running_loop().call_soon(self.deliver)

    def fail_waits(self, error: DamagedEvent) -> None:
        """End the waits for an event that is damaged."""
        for future in self._waits.get((error.run_id, error.data["actionName"]), ()):
            try_set_exception(future, error)

    def fail(self, error: BaseException) -> None:
        """End every wait and watch with this error."""
        for future in chain[asyncio.Future[Any]](*self._waits.values(), *self._watches.values()):
            try_set_exception(future, error)

    def _run_ids(self) -> list[int] | None:
        """Return the ids of the runs that have a wait or a watch; None means all runs."""
        if len(self._subscriptions) > MAX_SELECTED_RUNS:
            return None
        ids = []
        for key in self._subscriptions:
            if isinstance(key, Scope):
                return None
            run_id = self._store.run_id(key)
            if run_id is not None:
                ids.append(run_id)
        return ids

    def _deliver_page(self) -> bool:
        """Deliver the next page of changes, and return whether there may be more."""
        latest = self._store.revision()  # before `_run_ids`, so that the runs of all changes exist
        changes = self._store.changes(self._revision, latest, self._run_ids())
        reported: dict[int, tuple[int, Collection[WatchFeed]]] = {}
        for change in changes:
            watches = self._watches_of(change)
            waits = not change.pending and (change.run_id, change.action_name) in self._waits
            if watches or waits or change.broken:
                reported[change.id] = change.revision, watches
        size = 0
        if reported:
            with closing(self._store.events([*reported])) as events:
                for row_id, event in events:
                    self._revision, watches = reported[row_id]
                    if isinstance(event, DamagedEvent):
                        self.fail_waits(event)
                        continue
                    self._deliver(event, watches)
                    size += event.size
                    if size > reader.BATCH_BYTES:
                        return True
        more = len(changes) == reader.BATCH_EVENTS
        self._revision = changes[-1].revision if more else latest
        return more

    def _deliver(self, event: Event, watches: Collection[WatchFeed]) -> None:
        for watch in watches:
            watch.put(event)
        if not event.pending and self._waits:
            for future in self._waits.get((self._store.run_id(event.run), event.action_name), ()):
                try_set_result(future, event)

    def _watches_of(self, change: ChangedRow) -> Collection[WatchFeed]:
        """Return the watches that will report the change."""
        if not self._watches:
            return ()
        run = self._store.run(change.run_id)
        if run is None:  # damaged, but the event's document has the run
            return [*self._all_watches()]
        watches = self._watches.get(run, {}).values()
        inboxes = self._watches.get(run.scope)
        if inboxes is None:
            return watches
        # An inbox does not report the end of an event that it never reported as pending.
        return [*watches] + [
            inbox
            for inbox in inboxes.values()
            if change.pending or inbox.has_event(run, change.action_name)
        ]

    def _all_watches(self) -> Iterator[WatchFeed]:
        for watches in self._watches.values():
            yield from watches.values()

    def _subscribe(self, key: Run | Scope) -> None:
        """Add a subscription; the first one starts with the changes from now on."""
        if not self._subscriptions:
            self._revision = self._store.revision()
            self._data_version = _UNKNOWN_VERSION
        self._subscriptions[key] += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(POLL_INTERVAL, self._poll)

    def _poll(self) -> None:
        self._timer = None
        if not self._subscriptions:
            return
        self._timer = asyncio.get_running_loop().call_later(POLL_INTERVAL, self._poll)
        overdue = False
        try:
            version = self._store.data_version()
            # A newer release's migration is a change of the data, a deleted file is not.
            self._store.recheck(0.0 if version != self._data_version else POLL_CHECK_INTERVAL)
        except UnrecordedEnd:
            overdue = True
        except SidecarError as error:
            self._on_lost(error)
            return
        except SQLITE_ERRORS as error:
            self._fail_unless_busy(error)
            return
        if version != self._data_version:
            self._data_version = version
            self.deliver()
        if self._next_expiry is not None and self._next_expiry <= rows.now():
            overdue = True
        if overdue and (self._ending is None or self._ending.done()):
            self._ending = asyncio.ensure_future(self._end_overdue())

    def _fail_unless_busy(self, error: Exception) -> None:
        if is_busy(error):
            self._data_version = _UNKNOWN_VERSION  # the next poll tries again
        else:
            self.fail(as_error(error, self._path, "none"))

    def _unsubscribe(self, key: Run | Scope, future: asyncio.Future[Any]) -> None:
        retrieve_exception(future)
        self._subscriptions[key] -= 1
        if not self._subscriptions[key]:
            del self._subscriptions[key]

    def _end_wait(self, run: Run, key: tuple[int, str], future: asyncio.Future[Event]) -> None:
        self._unsubscribe(run, future)
        waits = self._waits[key]
        waits.discard(future)
        if not waits:
            del self._waits[key]

    def _end_watch(self, key: Run | Scope, future: asyncio.Future[None]) -> None:
        self._unsubscribe(key, future)
        del self._watches[key][future]
        if not self._watches[key]:
            del self._watches[key]
