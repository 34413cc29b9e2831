"""The queue of a watch, which coalesces: slow readers get only the latest state of each event.

Until a client takes an update, a later state of the same event replaces it. Watches share the
objects of an event, so that each watch costs little more memory than its tables.
"""

from __future__ import annotations

import asyncio
import operator
from collections import OrderedDict
from enum import Enum
from typing import Literal, TypeAlias

from msgspec import Struct, json

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.intern_pool import EVENT_POOL, EventKey, InternPool, action_key, event_key
from flyte_sidecar.events.model import BackendName, Event, Run, without_details
from flyte_sidecar.events.watch_feed import WatchSelector

ChangeKind: TypeAlias = Literal["created", "resolved", "removed", "updated"]

HIGH_WATER_BYTES = 16 << 20
"""Queued bytes above which resolved events are queued without their details."""

HIGH_WATER_ENTRIES = 1000
"""Queued entries above which a backend should pause before it adds more current events."""


class Changed(Struct, frozen=True):
    """The current state of an event, and what has changed for the client."""

    change: ChangeKind
    event: Event


class Synced(Struct, frozen=True):
    """All current events have been reported; `again` after a backend was unreachable.

    Attributes
    ----------
    backend
        The backend that was unreachable, of several; None for the only one.
    """

    again: bool = False
    backend: BackendName | None = None


class Disconnected(Struct, frozen=True):
    """A backend is unreachable for now; `backend` as in `Synced`."""

    error: SidecarError
    backend: BackendName | None = None


WatchUpdate: TypeAlias = Changed | Synced | Disconnected


class _Removed(Struct, frozen=True):
    event: Event


class _Reported(Struct, frozen=True, weakref=True):
    """A short form of the state of an event that the client received last."""

    pending: bool
    partial: bool
    phase: str
    digest: int


class _State(Enum):
    SYNCED = "synced"
    RESYNCED = "resynced"
    DISCONNECTED = "disconnected"


class _Marker(Struct, frozen=True):
    """The key of an entry that is no event."""

    state: _State
    backend: BackendName | None = None


_Entry = Event | _Removed | Synced | Disconnected
_REPORTED_POOL: InternPool[_Reported] = InternPool(operator.eq)


class CoalescingQueue:
    """The queue of one watch between its backend, for which it is a `WatchFeed`, and its client."""

    needs_backend = False

    def __init__(self, selector: WatchSelector) -> None:
        self.selector = selector
        self._reported: dict[EventKey, _Reported] = {}
        # An OrderedDict: removing from the front of a dict scans the entries removed before.
        self._queue: OrderedDict[EventKey | _Marker, _Entry] = OrderedDict()
        self._bytes = 0
        self._synced = False
        self._disconnected: set[BackendName | None] = set()
        self._available: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    # The backend's side: a `WatchFeed`.

    def put(self, event: Event) -> None:
        """Queue the current state of an event; events that are not selected are ignored."""
        if not self.selector.matches(event):
            return
        if self.full and not event.pending:
            event = without_details(event)
        key = event_key(event)
        queued = self._queue.get(key)
        if not (isinstance(queued, Event) and _is_stale(event, queued)):
            self._add(key, EVENT_POOL.intern(key, event))

    def remove(self, event: Event) -> None:
        if self.selector.matches(event):
            self._add(event_key(event), _Removed(event))

    def sync(self, backend: BackendName | None = None) -> None:
        if not self._synced and backend is None:
            self._synced = True
            self._add(_Marker(_State.SYNCED), Synced())
        elif backend in self._disconnected:
            self._disconnected.remove(backend)
            self._add(_Marker(_State.RESYNCED, backend), Synced(again=True, backend=backend))

    def disconnect(self, error: SidecarError, backend: BackendName | None = None) -> None:
        if not self._synced and backend is None:
            raise error
        # If the client has not taken the last `Synced` yet, it does not see two interruptions.
        resynced = self._queue.pop(_Marker(_State.RESYNCED, backend), None)
        disconnected = _Marker(_State.DISCONNECTED, backend)
        if (resynced is None and backend not in self._disconnected) or disconnected in self._queue:
            self._add(disconnected, Disconnected(error, backend))
        self._disconnected.add(backend)

    @property
    def full(self) -> bool:
        return self._bytes > HIGH_WATER_BYTES

    def has_event(self, run: Run, action_name: str) -> bool:
        key = action_key(run, action_name)
        return key in self._reported or key in self._queue

    async def room(self) -> None:
        """Wait while the client is far behind."""
        while self._far_behind():
            if self._room is None or self._room.done():
                self._room = asyncio.get_running_loop().create_future()
            await self._room

    # The client's side.

    def take(self) -> WatchUpdate | None:
        """Return the next update, None if there is none."""
        while self._queue:
            key, entry = self._queue.popitem(last=False)
            if isinstance(entry, Event):
                self._bytes -= entry.size
            if self._room is not None and not self._far_behind():
                try_set_result(self._room, None)
            if isinstance(entry, (Synced, Disconnected)):
                return entry
            assert isinstance(key, str)
            update = self._update(key, entry)
            if update is not None:
                return update
        self._queue.clear()  # releases the memory of the removed entries
        return None

    def available(self) -> asyncio.Future[None]:
        """Return a future that is done once there may be an update to take."""
        if self._available is None or self._available.done():
            self._available = asyncio.get_running_loop().create_future()
            if self._queue:
                self._available.set_result(None)
        return self._available

    def _far_behind(self) -> bool:
        return len(self._queue) > HIGH_WATER_ENTRIES or self.full

    def _add(self, key: EventKey | _Marker, entry: _Entry) -> None:
        replaced = self._queue.get(key)
        if isinstance(replaced, Event):
            self._bytes -= replaced.size
        if isinstance(entry, Event):
            self._bytes += entry.size
        self._queue[key] = entry
        if self._available is not None:
            try_set_result(self._available, None)

    def _update(self, key: EventKey, entry: Event | _Removed) -> Changed | None:
        """Return the update to report for an entry, None if nothing has changed."""
        previous = self._reported.get(key)
        if isinstance(entry, _Removed):
            self._reported.pop(key, None)
            return Changed("removed", entry.event) if previous is not None else None
        inbox = self.selector.run_name is None
        # In JSON NaN is null, and NaNs compare equal only as strings.
        digest = hash((json.encode(entry), str(entry.payload)))
        reported = _REPORTED_POOL.intern(
            key, _Reported(entry.pending, entry.partial, entry.phase, digest)
        )
        if previous is None:
            if inbox and not entry.pending:
                return None
            self._reported[key] = reported
            return Changed("created", entry)
        if reported == previous or _is_stale(entry, previous):
            return None
        resolved = previous.pending and not entry.pending
        if resolved and inbox:
            del self._reported[key]  # it is no longer selected
        else:
            self._reported[key] = reported
        return Changed("resolved" if resolved else "updated", entry)


def _is_stale(event: Event, previous: Event | _Reported) -> bool:
    """Return whether a state is older than the previous one: once resolved, never pending again.

    The cache of the Flyte backend has its own `_is_stale`, which compares states before they are
    reported and also rejects answers without a payload. This one also covers events that the cache
    has dropped and details that back-pressure has removed.
    """
    if previous.pending:
        return False
    less_detail = event.partial and not previous.partial and event.phase == previous.phase
    return event.pending or less_detail
