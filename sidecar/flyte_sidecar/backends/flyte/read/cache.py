"""What is known of a deployment's events from its earlier answers, within bounds."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from cachetools import LRUCache

from flyte_sidecar.backends.flyte.rpc.listed_action import EventMetadata, ListedAction
from flyte_sidecar.events.model import PAUSED, SUCCEEDED, Event, Run

FACTS = 20_000
"""Actions of which the kind, the name and the type are kept."""

RESOLVED_BYTES = 16 << 20
"""Of resolved events, about so much is kept."""

PENDING_BYTES = 32 << 20
"""Maximum size of the pending events whose details are cached."""

FRESH = 15.0
"""Seconds for which a listed row shows that such an event is still pending."""

ENDED = 100_000
"""Events of which it is remembered that they are resolved, and nothing more."""


class EventCache:
    """What earlier answers told.

    Attributes
    ----------
    on_resolved
        Called with each event that is told to be no longer pending.
    """

    def __init__(self) -> None:
        self.on_resolved: Callable[[Event], None] = lambda event: None
        self._facts: LRUCache[tuple[Run, str], EventMetadata] = LRUCache(FACTS)
        self._resolved: LRUCache[tuple[Run, str], Event] = LRUCache(
            RESOLVED_BYTES, lambda event: event.size
        )
        self._pending: LRUCache[tuple[Run, str], Event] = LRUCache(
            PENDING_BYTES, lambda event: event.size
        )
        self._ended: LRUCache[tuple[Run, str], bool] = LRUCache(ENDED)

    def keep(self, event: Event) -> Event:
        """Give the event as it is to be told: what was told as resolved stays so.

        An update may be stale: the backend writes a phase, an answer and an end at different
        times, and some releases never write the phase.
        """
        key = (event.run, event.action_name)
        self._facts[key] = EventMetadata(True, event.name, event.expected_type)
        kept = self._resolved.get(key)
        if kept is not None:
            unfinished = event.phase == kept.phase == SUCCEEDED and event.payload is None
            if event.pending or unfinished:
                event = kept
        if event.pending:
            # Before it is paused, its instants are not final.
            if event.phase == PAUSED and not event.partial and event.size <= PENDING_BYTES:
                self._pending[key] = event
        else:
            self._pending.pop(key, None)
            self._ended[key] = True
            if event.size <= RESOLVED_BYTES:
                self._resolved[key] = event
            self.on_resolved(event)
        return event

    def keep_listed(self, event: Event) -> Event:
        """Return a listed event as `keep` does; of its end, only that it has come is remembered."""
        if event.pending:
            return self.keep(event)
        self._ended[event.run, event.action_name] = True
        return event

    def resolved(self, row: ListedAction) -> Event | None:
        """Give the event of a row if it is known to be resolved as the row has it."""
        kept = self._resolved.get((row.run, row.action_name))
        return kept if kept is not None and (not row.ended or row.phase == kept.phase) else None

    def pending(self, row: ListedAction) -> Event | None:
        """Return the event of a row with its details, if the row was listed a moment ago.

        The details of a pending event never change. The row has to prove that it is pending.
        """
        if monotonic() - row.listed_at > FRESH:
            return None
        kept = self._pending.get((row.run, row.action_name))
        return kept if kept is not None and kept.phase == row.phase else None

    def has_ended(self, run: Run, action: str) -> bool:
        """Tell whether an event is known to be resolved."""
        return (run, action) in self._ended

    def is_task(self, run: Run, action: str) -> bool:
        """Return whether an action is known to be no event."""
        facts = self._facts.get((run, action))
        return facts is not None and facts.is_event is False

    def learn(self, run: Run, action: str, facts: EventMetadata) -> None:
        """Remember what never changes of an action, if it is all that there is to know."""
        if facts.is_event is False or None not in (facts.is_event, facts.name, facts.expected_type):
            self._facts[run, action] = facts

    def complete(self, row: ListedAction) -> None:
        """Fill in what is known of a row and it does not tell."""
        facts = self._facts.get((row.run, row.action_name))
        if facts is not None:
            row.add_metadata(facts)
