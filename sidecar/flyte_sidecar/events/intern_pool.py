"""Interning: one object for the same event, however many watches hold it."""

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
    """The newest object of each event, as long as it is referenced.

    Parameters
    ----------
    same
        Whether one object can replace another one.
    """

    def __init__(self, same: Callable[[T, T], bool]) -> None:
        self._same = same
        self._newest: WeakValueDictionary[EventKey, T] = WeakValueDictionary()

    def intern(self, key: EventKey, value: T) -> T:
        """Return the pooled object if it is the same, else `value`, which replaces it."""
        newest = self._newest.get(key)
        if newest is not None and self._same(newest, value):
            return newest
        self._newest[key] = value
        return value


def _same_event(one: Event, other: Event) -> bool:
    return one == other and str(one.payload) == str(other.payload)  # 1, 1.0 and True are equal


EVENT_POOL = InternPool(_same_event)
"""The states of events."""
