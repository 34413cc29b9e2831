"""The tasks that created events, which the backend is asked for in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol

from cachetools import LRUCache, TTLCache

from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.model import Event, Run, TaskName

MAX_TASKS = 20_000
"""Parent actions whose task is cached, and as many whose task is unknown."""

MAX_LOOKUPS = 1000
"""Lookups that may wait; further ones start with a later request."""

MAX_CONCURRENT = 4
"""Maximum number of concurrent lookups."""

RETRY_INTERVAL = 60.0
"""Seconds after which a task that was unknown is looked up again."""

_Parent = tuple[Run, str]


class AnyTask(Protocol):
    """A task in the backend or in a source file."""

    @property
    def function(self) -> str: ...
    @property
    def environment(self) -> str | None: ...


class ParentTasks:
    """The task of each parent action.

    Parameters
    ----------
    read
        `EventBackend.parent_task`.
    on_found
        Called with the names of the events for which a task was found.
    """

    def __init__(
        self,
        read: Callable[[Event], Awaitable[TaskName | None]],
        on_found: Callable[[set[str]], None],
    ) -> None:
        self._read = read
        self._on_found = on_found
        self._tasks: LRUCache[_Parent, TaskName] = LRUCache(MAX_TASKS)
        self._unknown: TTLCache[_Parent, bool] = TTLCache(MAX_TASKS, RETRY_INTERVAL, monotonic)
        self._wanted: dict[_Parent, set[str]] = {}  # the names of the events, for each lookup
        self._lookups = BackgroundTasks()
        self._limit = asyncio.Semaphore(MAX_CONCURRENT)

    def get(self, event: Event) -> TaskName | None:
        """Return the task of an event's parent; if it is unknown, look it up and return None."""
        if event.parent is None:
            return None
        parent = (event.run, event.parent)
        task: TaskName | None = self._tasks.get(parent)
        if task is None and parent not in self._unknown:
            if parent in self._wanted:
                self._wanted[parent].add(event.name)
            elif len(self._lookups) < MAX_LOOKUPS:
                self._wanted[parent] = {event.name}
                self._lookups.start(self._look_up(parent, event))
        return task

    def retry(self) -> None:
        """Look up again what could not be read before, at the next request."""
        self._unknown.clear()

    async def close(self) -> None:
        """End all lookups."""
        await self._lookups.close()

    async def _look_up(self, parent: _Parent, event: Event) -> None:
        task = None
        try:
            async with self._limit:
                task = await self._read(event)
        finally:
            names = self._wanted.pop(parent)
            if task is None:
                self._unknown[parent] = True
        if task is not None:
            self._tasks[parent] = task
            self._on_found(names)


def may_be(known: TaskName | None, task: AnyTask) -> bool:
    """Return whether two names may be of one task; an environment may be unknown."""
    if known is None:
        return True
    same_environment = None in (known.environment, task.environment) or (
        known.environment == task.environment
    )
    return known.function == task.function and same_environment
