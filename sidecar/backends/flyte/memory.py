"""What is known of a deployment's events from its earlier answers, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cachetools import LRUCache
from msgspec import Struct

from sidecar.backends.flyte.conversion import Row
from sidecar.events.model import SUCCEEDED, Event, ExpectedType, Run

FACTS = 20_000
"""Actions of which the kind, the name and the type are kept."""

RESOLVED_BYTES = 16 << 20
"""Of resolved events, about so much is kept."""

_EVENT_BYTES = 1500


class Facts(Struct, frozen=True):
    """What never changes of an action; `name` and `expected_type` are an event's."""

    is_event: bool
    name: str | None = None
    expected_type: ExpectedType | None = None


class Memory:
    """What earlier answers told.

    Attributes
    ----------
    on_resolved
        Called with each event that is told to be no longer pending.
    """

    def __init__(self) -> None:
        self.on_resolved: Callable[[Event], None] = lambda event: None
        self._facts: LRUCache[tuple[Run, str], Facts] = LRUCache(FACTS)
        self._resolved: LRUCache[tuple[Run, str], Event] = LRUCache(RESOLVED_BYTES, _size)

    def keep(self, run: Run, event: Event) -> Event:
        """Give the event as it is to be told: what was told as resolved stays so.

        An update may be stale: the backend writes a phase, an answer and an end at different
        times, and some releases never write the phase.
        """
        key = (run, event.action_name)
        self._facts[key] = Facts(True, event.name, event.expected_type)
        kept = self._resolved.get(key)
        if kept is not None:
            unfinished = event.phase == kept.phase == SUCCEEDED and event.payload is None
            if event.pending or unfinished:
                event = kept
        if not event.pending:
            if _size(event) <= RESOLVED_BYTES:
                self._resolved[key] = event
            self.on_resolved(event)
        return event

    def resolved(self, run: Run, row: Row) -> Event | None:
        """Give the event of a row if it is known to be resolved as the row has it."""
        kept = self._resolved.get((run, row.action_name))
        return kept if kept is not None and (not row.ended or row.phase == kept.phase) else None

    def no_event(self, run: Run, action: str) -> None:
        """Remember that an action is no condition."""
        self._facts[run, action] = Facts(False)

    def learn(self, run: Run, rows: Iterable[Row]) -> None:
        """Remember what rows tell that never changes."""
        for row in rows:
            if row.is_event is False:
                self.no_event(run, row.action_name)
            elif row.is_event and row.name is not None and row.expected_type is not None:
                self._facts[run, row.action_name] = Facts(True, row.name, row.expected_type)

    def complete(self, run: Run, row: Row) -> None:
        """Fill in what is known of a row and it does not tell."""
        facts = self._facts.get((run, row.action_name))
        if facts is not None:
            row.is_event = facts.is_event
            row.name = row.name or facts.name
            row.expected_type = row.expected_type or facts.expected_type


def _size(event: Event) -> int:
    words = (event.payload, event.prompt, event.description, event.abort_reason)
    return _EVENT_BYTES + sum(len(word) for word in words if isinstance(word, str))
