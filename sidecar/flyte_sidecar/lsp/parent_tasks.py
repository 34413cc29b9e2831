"""The tasks that created events, which the backend is asked for in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from cachetools import LRUCache, TTLCache

from flyte_sidecar._futures import wait_all
from flyte_sidecar.events.model import Event, Run, TaskName

MAX_TASKS = 20_000
"""Parent actions whose task is cached, and as many whose task is unknown."""

MAX_LOOKUPS = 4
"""Maximum number of concurrent lookups."""

RETRY_INTERVAL = 60.0
"""Seconds after which a task that was unknown is looked up again."""

_Parent = tuple[Run, str]

logger = logging.getLogger(__name__)


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
        self._wanted: dict[_Parent, tuple[Event, set[str]]] = {}  # not begun yet
        self._reading: dict[_Parent, set[str]] = {}
        self._workers: set[asyncio.Task[None]] = set()

    def get(self, event: Event) -> TaskName | None:
        """Return the task of an event's parent; if it is unknown, look it up and return None."""
        if event.parent is None:
            return None
        parent = (event.run, event.parent)
        task: TaskName | None = self._tasks.get(parent)
        if task is None and parent not in self._unknown:
            self._look_up(parent, event)
        return task

    def retry(self) -> None:
        """Look up again what could not be read before, at the next request."""
        self._unknown.clear()

    async def close(self) -> None:
        """End all lookups."""
        self._wanted.clear()
        for worker in self._workers:
            worker.cancel()
        await wait_all(self._workers)

    def _look_up(self, parent: _Parent, event: Event) -> None:
        if parent in self._reading:
            self._reading[parent].add(event.name)
        elif parent in self._wanted:
            self._wanted[parent][1].add(event.name)
        elif len(self._wanted) < MAX_TASKS:
            self._wanted[parent] = (event, {event.name})
            if len(self._workers) < MAX_LOOKUPS:
                worker = asyncio.ensure_future(self._work())
                self._workers.add(worker)
                worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        while self._wanted:
            parent, (event, names) = self._wanted.popitem()
            self._reading[parent] = names
            try:
                task = await self._read(event)
            except Exception as exception:
                logger.error("internal error: %s", type(exception).__name__)
                logger.debug("internal error", exc_info=exception)
                task = None
            finally:
                del self._reading[parent]
            if task is None:
                self._unknown[parent] = True
            else:
                self._tasks[parent] = task
                self._on_found(names)
