"""The pending events that are kept, by name, within a limit in bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from flyte_sidecar.events.intern_pool import EventKey
from flyte_sidecar.events.model import Event, without_details

MAX_DETAILED_BYTES = 16 << 20
"""Total size of the events above which further ones are kept without prompts and descriptions."""

MAX_BYTES = 32 << 20
"""Total size of the events above which only the keys of further ones are kept."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class PendingIndex:
    """Pending events by key and by name; the size of what is kept is limited.

    A backend may hold tens of thousands of pending events, each with a prompt of 4 KiB. The first
    16 MiB are kept in full. Then events are kept as partial ones, up to 32 MiB: these are about
    20,000. Further ones are omitted until others are removed and all events are put again.

    Attributes
    ----------
    omitted
        The keys of the pending events that are not kept.
    """

    def __init__(self, max_detailed: int = MAX_DETAILED_BYTES, max_bytes: int = MAX_BYTES) -> None:
        self.omitted: set[EventKey] = set()
        self._max_detailed = max_detailed
        self._max_bytes = max_bytes
        self._bytes = self._detailed_bytes = 0
        self._was_full = False
        self._events: dict[EventKey, Event] = {}
        self._by_name: dict[str, dict[EventKey, Event]] = {}
        self._sorted: dict[str | None, Sequence[Event]] = {}  # None: all events

    @property
    def names(self) -> Iterable[str]:
        """The names of the events."""
        return self._by_name.keys()

    @property
    def has_room(self) -> bool:
        """Whether many of the omitted events would fit by now: they should be put again."""
        return self._was_full and self._bytes <= self._max_bytes // 2

    def __contains__(self, key: EventKey) -> bool:
        return key in self._events or key in self.omitted

    def relist(self) -> set[EventKey]:
        """Return the keys of all events, which are about to be put again or removed."""
        self._was_full = False
        return self._events.keys() | self.omitted

    def put(self, key: EventKey, event: Event) -> Event | None:
        """Add an event, or replace its previous state; return it as it is kept, None if omitted."""
        self.remove(key)
        if not event.partial and self._detailed_bytes + event.size > self._max_detailed:
            event = without_details(event)
        if self._bytes + event.size > self._max_bytes:
            self.omitted.add(key)
            self._was_full = self._was_full or self._bytes > self._max_bytes // 2
            return None
        self._count(event, 1)
        self._events[key] = event
        self._by_name.setdefault(event.name, {})[key] = event
        self._forget_order(event)
        return event

    def remove(self, key: EventKey) -> Event | None:
        """Remove an event, and return it if it was kept."""
        self.omitted.discard(key)
        event = self._events.pop(key, None)
        if event is None:
            return None
        self._count(event, -1)
        named = self._by_name[event.name]
        del named[key]
        if not named:
            del self._by_name[event.name]
        self._forget_order(event)
        return event

    def get(self, key: EventKey) -> Event | None:
        """Return an event by its key."""
        return self._events.get(key)

    def all(self) -> Sequence[Event]:
        """Return the events in order of creation."""
        return self._in_order(None, self._events)

    def named(self, name: str) -> Sequence[Event]:
        """Return the events of a name in order of creation."""
        named = self._by_name.get(name)
        return () if named is None else self._in_order(name, named)

    def _count(self, event: Event, sign: int) -> None:
        self._bytes += sign * event.size
        if not event.partial:
            self._detailed_bytes += sign * event.size

    def _in_order(self, name: str | None, events: dict[EventKey, Event]) -> Sequence[Event]:
        found = self._sorted.get(name)
        if found is None:
            found = self._sorted[name] = tuple(sorted(events.values(), key=_sort_key))
        return found

    def _forget_order(self, event: Event) -> None:
        self._sorted.pop(event.name, None)
        self._sorted.pop(None, None)


def _sort_key(event: Event) -> tuple[datetime, str, str]:
    return (event.created_at or _LONG_AGO, event.run_name, event.action_name)
