"""What a run service remembers: runs, their actions, and what the cluster holds of them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

Payload = bool | int | float | str

ROOT = "a0"
TASK, CONDITION = 1, 3  # ActionType
PHASES = {
    "QUEUED": 1,
    "WAITING_FOR_RESOURCES": 2,
    "INITIALIZING": 3,
    "RUNNING": 4,
    "SUCCEEDED": 5,
    "FAILED": 6,
    "ABORTED": 7,
    "TIMED_OUT": 8,
    "PAUSED": 9,
    "RECOVERED": 10,
}
KINDS = {"bool": "BOOLEAN", "int": "INTEGER", "float": "FLOAT", "str": "STRING"}
TERMINAL = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED"})

Sort = tuple[tuple[str, bool], ...]
"""Fields to sort by, first the one that counts most, each with whether it ascends."""


class Refusal(Exception):
    """An answer that is not OK: `status` is the name of a gRPC status code."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class RunKey(NamedTuple):
    org: str
    project: str
    domain: str
    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    expected_type: str
    prompt: str
    description: str
    markdown: bool
    timeout: float | None  # seconds


@dataclass(frozen=True, slots=True)
class Action:
    """A row of the service's database; a change makes a new one."""

    run: RunKey
    id: str
    parent: str  # empty for the root
    group: str
    name: str  # the event's name, or the task's
    phase: str
    created_at: datetime
    updated_at: datetime
    condition: Condition | None = None
    ended_at: datetime | None = None
    payload: Payload | None = None
    signalled_by: str = ""
    abort_reason: str | None = None

    @property
    def type(self) -> int:
        return TASK if self.condition is None else CONDITION

    @property
    def duration_ms(self) -> int | None:
        if self.ended_at is None:
            return None
        return math.floor((self.ended_at - self.created_at).total_seconds() * 1000 + 0.5)


@dataclass(slots=True)
class Resource:
    """What the cluster knows of an action. It is ahead of the database, and goes sooner."""

    key: RunKey
    id: str
    parent: str
    expected_type: str | None  # None for a task
    created_at: datetime  # a whole second: Kubernetes keeps no fractions
    reconciled: bool = False
    completed: bool = False
    signal: Payload | None = None
    end: str = "ABORTED"  # the phase that is reported when it goes, unless it was signalled

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return f"{self.key.name}-{self.id}"


@dataclass(frozen=True, slots=True)
class Change:
    """A notification: an action as it then stood, and which kinds of watch hear of it."""

    action: Action
    listed: bool
    detailed: bool


class Run:
    """A run's actions, with the orders in which they are listed."""

    def __init__(self, key: RunKey, order_by: Callable[[list[Action], Sort], list[Action]]) -> None:
        self.key = key
        self.actions: dict[str, Action] = {}
        self.paused = 0
        self._order_by = order_by
        self._created: list[tuple[datetime, str]] = []
        self._ids: list[str] = []  # beside _created
        self._orders: dict[Sort, list[str]] = {}

    def put(self, action: Action) -> None:
        """Add the action, or let it take the place of its former state."""
        former = self.actions.get(action.id)
        place = (action.created_at, action.id)
        if former is None or former.created_at != action.created_at:
            if former is not None:
                at = bisect_left(self._created, (former.created_at, former.id))
                del self._created[at], self._ids[at]
            at = bisect_left(self._created, place)
            self._created.insert(at, place)
            self._ids.insert(at, action.id)
        self.paused += (action.phase == "PAUSED") - (
            former is not None and former.phase == "PAUSED"
        )
        self.actions[action.id] = action
        self._orders.clear()

    def ids(self, sort: Sort = (("created_at", True),)) -> list[str]:
        """Give the ids of all actions in this order; by creation costs nothing."""
        if sort == (("created_at", True),):
            return self._ids
        if sort not in self._orders:
            ordered = self._order_by(list(self.actions.values()), sort)
            self._orders[sort] = [action.id for action in ordered]
        return self._orders[sort]


def same(one: Payload, other: Payload) -> bool:
    """Tell whether two answers are one: of one type, and NaN equals NaN."""
    if type(one) is not type(other):
        return False
    return one == other or (one != one and other != other)
