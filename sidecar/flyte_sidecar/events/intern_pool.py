"""Interning: watches and waits share one object for the same state of an event."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from flyte_sidecar.events.model import Event, Run

T = TypeVar("T")

EventKey: TypeAlias = str
"""An event's full name."""


def event_key(event: Event) -> EventKey:
    """Return the event's full name as one string, which all tables share."""
    scope = (event.org, event.project, event.domain)
    return sys.intern(repr((*scope, event.run_name, event.action_name)))


def action_key(run: Run, action_name: str) -> EventKey:
    """Return the key of an event, as `event_key`, by its action."""
    return repr((run.org, run.project, run.domain, run.name, action_name))


class InternPool(Generic[T]):
    """The latest object of each event, as long as it is referenced.

    Parameters
    ----------
    same
        Whether two objects are interchangeable.
    """

    def __init__(self, same: Callable[[T, T], bool]) -> None:
        self._same = same
        self._latest: WeakValueDictionary[EventKey, T] = WeakValueDictionary()

    def intern(self, key: EventKey, value: T) -> T:
        """Return the pooled object if `value` is the same, else add `value` and return it."""
        latest = self._latest.get(key)
        if latest is not None and self._same(latest, value):
            return latest
        self._latest[key] = value
        return value


def _same_event(one: Event, other: Event) -> bool:
    return one == other and str(one.payload) == str(other.payload)  # 1, 1.0 and True are equal


EVENT_POOL = InternPool(_same_event)
"""The states of events."""
