"""The events of the plain mode, by number."""

from __future__ import annotations

from cachetools import LRUCache

from flyte_sidecar.cli.search import contains, words_of
from flyte_sidecar.events.intern_pool import EventKey, event_key
from flyte_sidecar.events.model import Event

MAX_ENDED = 1000
"""Events that have ended whose numbers are still known."""


class NumberedEvents:
    """The waiting events, numbered from 1 in the order in which they were added.

    A number belongs to one event for as long as the inbox is open.

    Attributes
    ----------
    waiting
        The waiting events by number.
    """

    def __init__(self) -> None:
        self.waiting: dict[int, Event] = {}
        self._numbers: dict[EventKey, int] = {}
        self._outcomes: LRUCache[int, str] = LRUCache(MAX_ENDED)
        self._last = 0

    def put(self, event: Event) -> int | None:
        """Add an event or replace its state; return its number if it was not waiting before."""
        number = self._numbers.get(key := event_key(event))
        if number is not None:
            self.waiting[number] = event
            return None
        self._last += 1
        self._numbers[key] = self._last
        self.waiting[self._last] = event
        return self._last

    def end(self, event: Event, outcome: str) -> int | None:
        """Remove an event; return its number if it was waiting."""
        number = self._numbers.pop(event_key(event), None)
        if number is not None:
            del self.waiting[number]
            self._outcomes[number] = outcome
        return number

    def outcome(self, number: int) -> str | None:
        """Return how an event has ended, if that is still known."""
        return self._outcomes.get(number)

    def matching(self, text: str) -> list[int]:
        """Return the numbers of the events that contain each word of a text."""
        words = words_of(text)
        return sorted(n for n, event in self.waiting.items() if contains(event, words))
