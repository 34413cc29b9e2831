"""One object for what many watches hold of the same events."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from flyte_sidecar.events.model import Event

T = TypeVar("T")

Key: TypeAlias = str
"""An event's full name."""


def key_of(event: Event) -> Key:
    """Return the event's full name as one string, which all tables share."""
    place = (event.org, event.project, event.domain)
    return sys.intern(repr((*place, event.run_name, event.action_name)))


class Shared(Generic[T]):
    """The newest object of each event, for as long as anyone holds it.

    Parameters
    ----------
    same
        Whether one object can replace another one.
    """

    def __init__(self, same: Callable[[T, T], bool]) -> None:
        self._same = same
        self._newest: WeakValueDictionary[Key, T] = WeakValueDictionary()

    def share(self, key: Key, value: T) -> T:
        """Return the object that others hold if it is the same, else `value`, which replaces it."""
        newest = self._newest.get(key)
        if newest is not None and self._same(newest, value):
            return newest
        self._newest[key] = value
        return value


def _same_event(one: Event, other: Event) -> bool:
    return one == other and str(one.payload) == str(other.payload)  # 1, 1.0 and True are equal


EVENTS = Shared(_same_event)
"""The states of events."""
