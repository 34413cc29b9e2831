"""The newest known state of each event: drops stale updates, and notifies subscribers.

The size is bounded, except for the events of watched runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from types import MappingProxyType
from typing import Protocol

from cachetools import LRUCache

from flyte_sidecar.backends.flyte.rpc.listed_action import EventMetadata, ListedAction
from flyte_sidecar.events.model import PAUSED, SUCCEEDED, Event, Run, without_details

MAX_METADATA = 20_000
"""Actions whose metadata is cached."""

MAX_DETAILS_BYTES = 48 << 20
"""Total size of the events that are cached with their details."""

MAX_RESOLVED_KEYS = 100_000
"""Events of which the cache stores only that they are resolved."""

MAX_WATCHED_ANSWER_CHARS = 4096
"""Length of an answer that is kept for a watched run; a longer one is delivered, and dropped."""

_Key = tuple[Run, str]
_NOTHING: Mapping[str, Event] = MappingProxyType({})


class Listener(Protocol):
    """What the cache notifies of the events of one run."""

    def on_update(self, event: Event) -> None:
        """Deliver the new state of an event of a watched run."""

    def on_resolved(self, event: Event) -> None:
        """Deliver an event that is no longer pending, even if it was delivered before."""

    def on_remove(self, event: Event) -> None:
        """Deliver that an event of a watched run no longer exists."""


class EventCache:
    """Events by run and action; only the cache decides what has changed, and delivers it.

    Parameters
    ----------
    row_freshness
        How long a listed row proves that an event is still pending, in seconds.
    """

    def __init__(self, row_freshness: float) -> None:
        self._row_freshness = row_freshness
        self._metadata: LRUCache[_Key, EventMetadata] = LRUCache(MAX_METADATA)
        self._details: LRUCache[_Key, Event] = LRUCache(MAX_DETAILS_BYTES, lambda event: event.size)
        self._resolved_keys: LRUCache[_Key, bool] = LRUCache(MAX_RESOLVED_KEYS)
        self._watched: dict[Run, dict[str, Event]] = {}  # all events of these runs
        self._used: dict[Run, set[str]] = {}  # by `use_without_read`, since their last update
        self._listeners: dict[Run, Listener] = {}

    def update(self, event: Event, *, reread: bool = False) -> Event | None:
        """Store an event, notify its run's listener, and return the newest known state.

        A resolved event is never pending again. An update may be stale: the backend writes phase,
        answer and end time separately, some releases never write the phase, and responses
        overtake each other.

        Parameters
        ----------
        reread
            Whether the event was read after this returned None.

        Returns
        -------
        None if the event is known to be resolved, but its details are not cached: read it again.
        """
        run, name = event.run, event.action_name
        key, watched = (run, name), self._watched.get(run)
        if run in self._used:
            self._used[run].discard(name)
        self._metadata[key] = EventMetadata(True, event.name, event.expected_type)
        for cached in (self._details.get(key), (watched or _NOTHING).get(name)):
            if cached is not None and not cached.pending and _is_stale(event, cached):
                event = cached
        if event.pending and key in self._resolved_keys and not reread:
            return None
        self._store(key, event)
        listener = self._listeners.get(run)
        if watched is not None and (kept := _without_large_answer(event)) != watched.get(name):
            watched[name] = kept
            if listener is not None:
                listener.on_update(event)
        if listener is not None and not event.pending:
            listener.on_resolved(event)
        return event

    def _store(self, key: _Key, event: Event) -> None:
        if not event.pending:
            self._resolved_keys[key] = True
        # Before an event is paused, its timestamps are not final.
        if (event.phase == PAUSED or not event.pending) and not event.partial:
            if event.size <= MAX_DETAILS_BYTES:
                self._details[key] = event
        elif not event.pending:
            self._details.pop(key, None)

    def remove(self, run: Run, action: str) -> None:
        """Remove an event of a watched run that no longer exists, and notify its listener."""
        event = self._watched.get(run, {}).pop(action, None)
        if event is not None and run in self._listeners:
            self._listeners[run].on_remove(event)

    def follow(self, run: Run, listener: Listener) -> None:
        """Notify a listener of the events of a run, until `unfollow`."""
        self._listeners[run] = listener

    def unfollow(self, run: Run) -> None:
        """Stop notifying a run's listener, and evict the run's events."""
        self._listeners.pop(run, None)
        self.evict(run)

    def watch(self, run: Run) -> None:
        """Keep all events of a run, whatever their number, until `evict`."""
        self._watched.setdefault(run, {})

    def evict(self, run: Run) -> None:
        """Drop the events that are kept only because their run is watched."""
        self._watched.pop(run, None)
        self._used.pop(run, None)

    def watched(self, run: Run) -> Mapping[str, Event]:
        """Return the events of a watched run by action; empty if it is not watched."""
        return self._watched.get(run, _NOTHING)

    def use_without_read(self, run: Run, action: str) -> Event | None:
        """Return a watched event that is pending, for a request that does not read it first.

        It may have been resolved since: `used_since_update` shows that a read is still due.
        """
        event = self.watched(run).get(action)
        if event is None or not event.pending or event.partial:
            return None
        self._used.setdefault(run, set()).add(action)
        return event

    def used_since_update(self, run: Run, action: str) -> bool:
        """Return whether `use_without_read` has returned an event since its last update."""
        return action in self._used.get(run, ())

    def resolved(self, row: ListedAction) -> Event | None:
        """Return the cached event of a row if it is resolved, and the row shows no later phase."""
        event = self._details.get((row.run, row.action_name))
        if event is None or event.pending:
            return None
        return event if not row.ended or row.phase == event.phase else None

    def pending(self, row: ListedAction) -> Event | None:
        """Return the cached event of a recent row that proves that the event is pending.

        The details of a pending event never change.
        """
        if monotonic() - row.listed_at > self._row_freshness:
            return None
        event = self._details.get((row.run, row.action_name))
        return event if event is not None and event.pending and event.phase == row.phase else None

    def mark_resolved(self, run: Run, action: str) -> None:
        """Record that an event is resolved; its details have to be read."""
        self._resolved_keys[run, action] = True

    def is_resolved(self, run: Run, action: str) -> bool:
        """Return whether an event is known to be resolved."""
        return (run, action) in self._resolved_keys

    def is_not_event(self, run: Run, action: str) -> bool:
        """Return whether an action is known to be a task or a trace."""
        metadata = self._metadata.get((run, action))
        return metadata is not None and metadata.is_event is False

    def add_metadata(self, run: Run, action: str, metadata: EventMetadata) -> None:
        """Store the metadata of an action if it is complete: it never changes."""
        is_complete = None not in (metadata.is_event, metadata.name, metadata.expected_type)
        if metadata.is_event is False or is_complete:
            self._metadata[run, action] = metadata

    def fill_metadata(self, row: ListedAction) -> None:
        """Add the cached metadata that a row lacks."""
        metadata = self._metadata.get((row.run, row.action_name))
        if metadata is not None:
            row.add_metadata(metadata)


def _is_stale(event: Event, resolved: Event) -> bool:
    """Return whether a state is pending, or has less detail than the same resolved state.

    The queue of a watch (`events.coalescing`) applies the same rule to what the client has got.
    """
    unfinished = event.phase == SUCCEEDED and event.payload is None
    less = event.partial and not resolved.partial
    return event.pending or (event.phase == resolved.phase and (unfinished or less))


def _without_large_answer(event: Event) -> Event:
    answer = event.payload
    large = isinstance(answer, str) and len(answer) > MAX_WATCHED_ANSWER_CHARS
    return without_details(event) if large else event
