"""The cache of a deployment's events: what responses have shown, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from types import MappingProxyType
from typing import Protocol

from cachetools import LRUCache

from flyte_sidecar.backends.flyte.rpc.listed_action import EventMetadata, ListedAction
from flyte_sidecar.events.model import PAUSED, SUCCEEDED, Event, Run, without_details

FACTS = 20_000
"""Actions whose kind, name and type are cached."""

DETAILS_BYTES = 48 << 20
"""Maximum size of the events whose details are cached."""

ENDED = 100_000
"""Events of which it is remembered only that they are resolved."""

LARGE = 4096
"""Characters of an answer that is not kept for a watched run: it is delivered once."""

_Key = tuple[Run, str]
_NOTHING: Mapping[str, Event] = MappingProxyType({})


class Listener(Protocol):
    """What the cache notifies of the events of one run."""

    def on_update(self, event: Event) -> None:
        """Deliver the new state of an event of a watched run."""

    def on_resolved(self, event: Event) -> None:
        """Deliver an event that is no longer pending, also if it was so before."""

    def on_remove(self, event: Event) -> None:
        """Deliver that an event of a watched run no longer exists."""


class EventCache:
    """Events by run and action; it alone decides which state is news, and delivers it.

    Parameters
    ----------
    row_freshness
        For how many seconds a listed row proves that an event is still pending.
    """

    def __init__(self, row_freshness: float) -> None:
        self._row_freshness = row_freshness
        self._facts: LRUCache[_Key, EventMetadata] = LRUCache(FACTS)
        self._details: LRUCache[_Key, Event] = LRUCache(DETAILS_BYTES, lambda event: event.size)
        self._ended: LRUCache[_Key, bool] = LRUCache(ENDED)
        self._watched: dict[Run, dict[str, Event]] = {}  # all events of these runs
        self._chosen: dict[Run, set[str]] = {}  # those used since they were last updated
        self._listeners: dict[Run, Listener] = {}

    def update(self, event: Event, *, reread: bool = False) -> Event | None:
        """Store an event, notify who follows its run, and return the newest known state.

        An event that was once resolved is never pending again: an update may be stale, since the
        backend writes a phase, an answer and an end at different times, some releases never write
        the phase, and responses overtake each other.

        Parameters
        ----------
        reread
            Whether the event was read after this returned None.

        Returns
        -------
        None if the event was resolved, but it is not cached how: it has to be read again.
        """
        run, name = event.run, event.action_name
        key, watched = (run, name), self._watched.get(run)
        if run in self._chosen:
            self._chosen[run].discard(name)
        self._facts[key] = EventMetadata(True, event.name, event.expected_type)
        for known in (self._details.get(key), (watched or _NOTHING).get(name)):
            if known is not None and not known.pending and _is_stale(event, known):
                event = known
        if event.pending and key in self._ended and not reread:
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
            self._ended[key] = True
        # Before an event is paused, its instants are not final.
        if (event.phase == PAUSED or not event.pending) and not event.partial:
            if event.size <= DETAILS_BYTES:
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
        """Notify nobody of the events of a run any more, and let them go."""
        self._listeners.pop(run, None)
        self.watch(run, False)

    def watch(self, run: Run, watched: bool = True) -> None:
        """Keep all events of a run, whatever their number, or let them go again."""
        if watched:
            self._watched.setdefault(run, {})
        else:
            self._watched.pop(run, None)
            self._chosen.pop(run, None)

    def watched(self, run: Run) -> Mapping[str, Event]:
        """Return the events of a watched run by action; empty if it is not watched."""
        return self._watched.get(run, _NOTHING)

    def choose(self, run: Run, action: str) -> Event | None:
        """Return a watched event that is pending, for a request that does without a read.

        The event may have ended: `is_chosen` returns whether it was not updated since.
        """
        event = self.watched(run).get(action)
        if event is None or not event.pending or event.partial:
            return None
        self._chosen.setdefault(run, set()).add(action)
        return event

    def is_chosen(self, run: Run, action: str) -> bool:
        """Return whether an event was used by `choose`, and not updated since."""
        return action in self._chosen.get(run, ())

    def resolved(self, row: ListedAction) -> Event | None:
        """Return the event of a row if it is known to be resolved as the row shows."""
        known = self._details.get((row.run, row.action_name))
        if known is None or known.pending:
            return None
        return known if not row.ended or row.phase == known.phase else None

    def pending(self, row: ListedAction) -> Event | None:
        """Return the event of a row with its details, if the row was listed a moment ago.

        The details of a pending event never change. The row has to prove that it is pending.
        """
        if monotonic() - row.listed_at > self._row_freshness:
            return None
        known = self._details.get((row.run, row.action_name))
        return known if known is not None and known.pending and known.phase == row.phase else None

    def mark_ended(self, run: Run, action: str) -> None:
        """Remember that an event is resolved; how it ended has to be read."""
        self._ended[run, action] = True

    def has_ended(self, run: Run, action: str) -> bool:
        """Return whether an event is known to be resolved."""
        return (run, action) in self._ended

    def is_task(self, run: Run, action: str) -> bool:
        """Return whether an action is known to be no event."""
        facts = self._facts.get((run, action))
        return facts is not None and facts.is_event is False

    def learn(self, run: Run, action: str, facts: EventMetadata) -> None:
        """Store what never changes of an action, if it is complete."""
        if facts.is_event is False or None not in (facts.is_event, facts.name, facts.expected_type):
            self._facts[run, action] = facts

    def complete(self, row: ListedAction) -> None:
        """Fill in what is cached of a row and missing in it."""
        facts = self._facts.get((row.run, row.action_name))
        if facts is not None:
            row.add_metadata(facts)


def _is_stale(event: Event, known: Event) -> bool:
    """Return whether a state shows less of the end of an event than a resolved one."""
    unfinished = event.phase == SUCCEEDED and event.payload is None
    less = event.partial and not known.partial
    return event.pending or (event.phase == known.phase and (unfinished or less))


def _without_large_answer(event: Event) -> Event:
    payload = event.payload
    return without_details(event) if isinstance(payload, str) and len(payload) > LARGE else event
