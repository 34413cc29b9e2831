"""The state of the fake RunService: runs, their actions, and the cluster's resources."""

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
"""Fields to sort by, the most significant first, each with whether the order is ascending."""


class StatusError(Exception):
    """A response other than OK; `status` is the name of a gRPC status."""

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
    """An immutable row of the service's database."""

    run: RunKey
    id: str
    parent: str  # empty for the root
    group: str
    name: str  # the event's name, or the task's: "environment.function"
    phase: str
    created_at: datetime
    updated_at: datetime
    condition: Condition | None = None
    ended_at: datetime | None = None
    payload: Payload | None = None
    signalled_by: str = ""
    abort_reason: str | None = None
    environment: str = ""  # of a task
    short_name: str = ""  # of a task; authors choose it

    @property
    def type(self) -> int:
        return TASK if self.condition is None else CONDITION

    @property
    def duration_ms(self) -> int | None:
        if self.ended_at is None:
            return None
        return math.floor((self.ended_at - self.created_at).total_seconds() * 1000 + 0.5)


@dataclass(slots=True)
class ClusterResource:
    """The state of an action in the cluster, which the database follows. It is deleted sooner."""

    key: RunKey
    id: str
    parent: str
    expected_type: str | None  # None for a task
    created_at: datetime  # in whole seconds, as in Kubernetes
    reconciled: bool = False
    completed: bool = False
    signal: Payload | None = None
    end: str = "ABORTED"  # the phase that is reported at its deletion, unless it was signalled

    @property
    def name(self) -> str:
        """The name in the cluster."""
        return f"{self.key.name}-{self.id}"


@dataclass(frozen=True, slots=True)
class Change:
    """A notification of the new state of an action, and which kinds of watch receive it."""

    action: Action
    listed: bool
    detailed: bool


class RunRecord:
    """A run's actions, and the orders in which they are listed."""

    def __init__(self, key: RunKey, order_by: Callable[[list[Action], Sort], list[Action]]) -> None:
        self.key = key
        self.actions: dict[str, Action] = {}
        self.paused = 0
        self._order_by = order_by
        self._created: list[tuple[datetime, str]] = []
        self._ids: list[str] = []  # parallel to _created
        self._orders: dict[Sort, list[str]] = {}

    def put(self, action: Action) -> None:
        """Add an action, or replace its previous state."""
        previous = self.actions.get(action.id)
        sort_key = (action.created_at, action.id)
        if previous is None or previous.created_at != action.created_at:
            if previous is not None:
                at = bisect_left(self._created, (previous.created_at, previous.id))
                del self._created[at], self._ids[at]
            at = bisect_left(self._created, sort_key)
            self._created.insert(at, sort_key)
            self._ids.insert(at, action.id)
        self.paused += (action.phase == "PAUSED") - (
            previous is not None and previous.phase == "PAUSED"
        )
        self.actions[action.id] = action
        self._orders.clear()

    def ids(self, sort: Sort = (("created_at", True),)) -> list[str]:
        """Return the ids of all actions in this order; order of creation is not computed."""
        if sort == (("created_at", True),):
            return self._ids
        if sort not in self._orders:
            ordered = self._order_by(list(self.actions.values()), sort)
            self._orders[sort] = [action.id for action in ordered]
        return self._orders[sort]


def same(first: Payload, second: Payload) -> bool:
    """Return whether two payloads are equal and of the same type; NaN equals NaN."""
    if type(first) is not type(second):
        return False
    return first == second or (first != first and second != second)
