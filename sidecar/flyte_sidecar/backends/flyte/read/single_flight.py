"""Calls that are shared by all callers that need the same result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from flyte_sidecar._futures import retrieve_exception

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Runs at most one call for a key at a time, and one more after it.

    A caller never shares a call that began before its request, so no result is stale.
    """

    def __init__(self, call: Callable[[K], Awaitable[T]]) -> None:
        self._call = call
        self._running: dict[K, asyncio.Task[T]] = {}
        self._next: dict[K, asyncio.Task[T]] = {}  # has not begun yet
        self._callers: dict[asyncio.Task[T], int] = {}

    async def __call__(self, key: K) -> T:
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.ensure_future(self._run(key))
            task.add_done_callback(retrieve_exception)
        self._callers[task] = self._callers.get(task, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._callers[task] -= 1
            if not self._callers[task]:
                del self._callers[task]
                if self._next.get(key) is task:
                    del self._next[key]
                task.cancel()  # it has no caller any more

    async def _run(self, key: K) -> T:
        while key in self._running:
            await asyncio.wait({self._running[key]})
        self._running[key] = self._next.pop(key)
        try:
            return await self._call(key)
        finally:
            del self._running[key]
