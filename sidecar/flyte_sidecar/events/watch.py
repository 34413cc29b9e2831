"""What a watch tells: states in, and the fewest notes that keep its client's picture true out.

A backend puts the newest state of each event, as often as it likes. A client takes notes as
fast as it reads: of what it has not taken yet, later states take the place of earlier ones.
Watches share what they hold of an event, so that each costs little more than its tables.
"""

from __future__ import annotations

import asyncio
import operator
from collections import OrderedDict
from enum import Enum
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct, json

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.interning import EVENTS, Key, Shared, key_of
from flyte_sidecar.events.model import Event, Run, Scope, without_details

Change: TypeAlias = Literal["created", "resolved", "removed", "updated"]

HEAVY = 16 << 20
"""Bytes in notes that wait, beyond which resolved events go without their details."""

PLENTY = 1000
"""Notes that wait, beyond which a backend should not hurry to add what has long stood."""


class Watched(Struct, frozen=True, kw_only=True):
    """What is watched: the events of a run, or the pending events of all runs of a scope.

    Attributes
    ----------
    run_name
        The run; None stands for all of them.
    parent
        Only events under this action.
    """

    scope: Scope
    run_name: str | None = None
    parent: str | None = None

    @property
    def run(self) -> Run | None:
        """The run, if it is one that is watched."""
        if self.run_name is None:
            return None
        return self.scope.run(self.run_name)

    def takes(self, event: Event) -> bool:
        """Tell whether the event is one of those watched, pending or not."""
        return (
            self.run_name in (None, event.run_name)
            and self.parent in (None, event.parent)
            and self.scope == Scope(event.org, event.project, event.domain)
        )


class Changed(Struct, frozen=True):
    """An event as it now stands, and what that is to the client."""

    change: Change
    event: Event


class Synced(Struct, frozen=True):
    """All that stood has been told; `again` after the backend was lost."""

    again: bool = False


class Lost(Struct, frozen=True):
    """The backend is lost for now."""

    error: SidecarError


Note: TypeAlias = Changed | Synced | Lost


class _Gone(Struct, frozen=True):
    event: Event


class _Told(Struct, frozen=True, weakref=True):
    """What the client was told of an event last, in short."""

    pending: bool
    partial: bool
    phase: str
    digest: int


class _Marker(Enum):
    SYNCED = "synced"
    RESYNCED = "resynced"
    LOST = "lost"


_Waiting = Event | _Gone | Synced | Lost
_TOLD: Shared[_Told] = Shared(operator.eq)


class Feed(Protocol):
    """Where a backend puts what stands and changes."""

    def put(self, event: Event) -> None:
        """Say how an event stands now."""

    def remove(self, event: Event) -> None:
        """Say that an event is gone; `event` is how it stood last."""

    def sync(self) -> None:
        """Say that everything that stands has been put."""

    def lose(self, error: SidecarError) -> None:
        """Say that the backend is lost; `sync` tells when that is over.

        Raises
        ------
        SidecarError
            The error itself, before everything that stands has been put.
        """


class WatchFeed(Feed, Protocol):
    """The feed of a watch, as `EventBackend.watch` takes it."""

    watched: Watched

    @property
    def full(self) -> bool:
        """Whether so many bytes wait that a change should rather be put later."""

    async def room(self) -> None:
        """Wait while the client is far behind."""


class Watch:
    """The feed of one watch, between its backend and its client."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._told: dict[Key, _Told] = {}
        # In the order to be told. From the front of a dict each take would scan the former ones.
        self._waiting: OrderedDict[Key | _Marker, _Waiting] = OrderedDict()
        self._bytes = 0
        self._synced = False
        self._lost = False
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    # A backend calls these.

    def put(self, event: Event) -> None:
        # Those that are not watched are passed over.
        if not self.watched.takes(event):
            return
        if self.full and not event.pending:
            event = without_details(event)
        key = key_of(event)
        former = self._waiting.get(key)
        if not (isinstance(former, Event) and _is_stale(event, former)):
            self._add(key, EVENTS.share(key, event))

    def remove(self, event: Event) -> None:
        if self.watched.takes(event):
            self._add(key_of(event), _Gone(event))

    def sync(self) -> None:
        if not self._synced:
            self._synced = True
            self._add(_Marker.SYNCED, Synced())
        elif self._lost:
            self._lost = False
            self._add(_Marker.RESYNCED, Synced(again=True))

    def lose(self, error: SidecarError) -> None:
        if not self._synced:
            raise error
        # A loss that was over before the client heard of its end goes on.
        over = self._waiting.pop(_Marker.RESYNCED, None)
        if (over is None and not self._lost) or _Marker.LOST in self._waiting:
            self._add(_Marker.LOST, Lost(error))
        self._lost = True

    @property
    def full(self) -> bool:
        return self._bytes > HEAVY

    async def room(self) -> None:
        """Wait while the client is far behind."""
        while self._far_behind():
            if self._room is None or self._room.done():
                self._room = asyncio.get_running_loop().create_future()
            await self._room

    # The client's side calls these.

    def take(self) -> Note | None:
        """Give the next note, None where there is nothing to tell."""
        while self._waiting:
            key, waiting = self._waiting.popitem(last=False)
            if isinstance(waiting, Event):
                self._bytes -= waiting.size
            if self._room is not None and not self._far_behind():
                try_set_result(self._room, None)
            if isinstance(waiting, (Synced, Lost)):
                return waiting
            assert isinstance(key, str)
            note = self._note(key, waiting)
            if note is not None:
                return note
        self._waiting.clear()  # else it keeps the memory of all that was in it
        return None

    def news(self) -> asyncio.Future[None]:
        """Give a future that is done once there is something to take."""
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
            if self._waiting:
                self._news.set_result(None)
        return self._news

    def _far_behind(self) -> bool:
        return len(self._waiting) > PLENTY or self.full

    def _add(self, key: Key | _Marker, waiting: _Waiting) -> None:
        former = self._waiting.get(key)
        if isinstance(former, Event):
            self._bytes -= former.size
        if isinstance(waiting, Event):
            self._bytes += waiting.size
        self._waiting[key] = waiting
        if self._news is not None:
            try_set_result(self._news, None)

    def _note(self, key: Key, waiting: _Waiting) -> Changed | None:
        """Give what a state is to the client, None where it is nothing new."""
        known = self._told.get(key)
        if isinstance(waiting, _Gone):
            self._told.pop(key, None)
            return Changed("removed", waiting.event) if known is not None else None
        assert isinstance(waiting, Event)
        inbox = self.watched.run_name is None
        # To JSON alone NaN is null, and all NaN are one only in words.
        digest = hash((json.encode(waiting), str(waiting.payload)))
        told = _TOLD.share(key, _Told(waiting.pending, waiting.partial, waiting.phase, digest))
        if known is None:
            if inbox and not waiting.pending:
                return None
            self._told[key] = told
            return Changed("created", waiting)
        if told == known or _is_stale(waiting, known):
            return None
        resolved = known.pending and not waiting.pending
        if resolved and inbox:
            del self._told[key]  # it is no longer one of those that are watched
        else:
            self._told[key] = told
        return Changed("resolved" if resolved else "updated", waiting)


def _is_stale(event: Event, known: Event | _Told) -> bool:
    """Tell whether more is known of the end of an event than this state tells.

    What was resolved is never told to be pending again.
    """
    if known.pending:
        return False
    less = event.partial and not known.partial and event.phase == known.phase
    return event.pending or less
