"""A resource that all calls share, and that is closed while the process forks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from flyte_sidecar._futures import retrieve_exception, wait_all

T = TypeVar("T")
R = TypeVar("R")


class SharedResource(Generic[T]):
    """A resource that the first call opens, and that is closed while the process forks or exits.

    It must be used on the background loop only.

    Parameters
    ----------
    factory
        Opens the resource.
    close
        Closes it, once it has no users.
    """

    def __init__(
        self, factory: Callable[[], T], close: Callable[[T], Coroutine[Any, Any, None]]
    ) -> None:
        self.factory = factory
        self._close = close
        self._resource: T | None = None
        self.reset()
        all_resources.append(self)

    def reset(self) -> T | None:
        """Forget the resource and its users, without closing it. Return the resource."""
        resource, self._resource = self._resource, None
        self._users = 0
        self._cancelled_by_pause: set[asyncio.Task[Any]] = set()
        self._pausing = False
        self._lock = asyncio.Lock()
        self._unused = asyncio.Event()
        return resource

    @asynccontextmanager
    async def use(self) -> AsyncIterator[T]:
        """Open the resource if necessary, and keep it open within the block."""
        async with self._lock:
            if self._resource is None:
                self._resource = self.factory()
            resource = self._resource
            self._users += 1
        try:
            yield resource
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    def start_until_pause(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start long work within `use`. A pause cancels it, and the block must then end."""
        task = asyncio.get_running_loop().create_task(work)
        self._cancelled_by_pause.add(task)
        task.add_done_callback(self._cancelled_by_pause.discard)
        task.add_done_callback(retrieve_exception)
        if self._pausing:
            task.cancel()
        return task

    async def run_between_pauses(self, work: Callable[[T], Coroutine[Any, Any, R]]) -> R:
        """Run long work on the resource. A pause cancels it, and it is then started again."""
        while True:
            async with self.use() as resource:
                running = self.start_until_pause(work(resource))
                try:
                    await wait_all([running])
                finally:
                    running.cancel()
                    await wait_all([running])
                if not running.cancelled():
                    return running.result()

    async def replace(self, factory: Callable[[], T]) -> None:
        """Close the resource. From now on `factory` opens it."""
        async with self.paused():
            self.factory = factory

    async def close(self) -> None:
        """Close the resource for good. It must not be used any more."""
        async with self.paused():
            all_resources.remove(self)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Wait until all users have left, and keep the resource closed within the block."""
        async with self._lock:
            self._pausing = True
            try:
                for task in self._cancelled_by_pause:
                    task.cancel()
                while self._users:
                    self._unused.clear()
                    await self._unused.wait()
            finally:
                self._pausing = False
            resource, self._resource = self._resource, None
            if resource is not None:
                # A cancelled caller must not leave it half closed.
                await asyncio.shield(self._close(resource))
            yield


all_resources: list[SharedResource[Any]] = []
"""Every shared resource of this process."""
