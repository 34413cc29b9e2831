"""What all calls share, and what must be closed while the process forks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from flyte_sidecar._futures import retrieve_exception

T = TypeVar("T")
R = TypeVar("R")


class Shared(Generic[T]):
    """What all calls share: opened for the first, closed while the process forks or ends.

    It lives on the background loop.

    Parameters
    ----------
    make
        Opens it.
    close
        Closes it; nobody uses it any more.
    """

    def __init__(
        self, make: Callable[[], T], close: Callable[[T], Coroutine[Any, Any, None]]
    ) -> None:
        self.make = make
        self._close = close
        self._open: T | None = None
        self.start_afresh()
        every.append(self)

    def start_afresh(self) -> T | None:
        """Forget what is open and who uses it; gives what is still open."""
        left, self._open = self._open, None
        self._users = 0
        self._brief: set[asyncio.Task[Any]] = set()
        self._pausing = False
        self._turn = asyncio.Lock()
        self._unused = asyncio.Event()
        return left

    @asynccontextmanager
    async def use(self) -> AsyncIterator[T]:
        """Open it if it is not open, and keep it open meanwhile."""
        async with self._turn:
            if self._open is None:
                self._open = self.make()
            its = self._open
            self._users += 1
        try:
            yield its
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    def until_pause(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start work that may take long: a pause cancels it, and its user is to leave then."""
        task = asyncio.get_running_loop().create_task(work)
        self._brief.add(task)
        task.add_done_callback(self._brief.discard)
        task.add_done_callback(retrieve_exception)
        if self._pausing:
            task.cancel()
        return task

    async def change(self, make: Callable[[], T]) -> None:
        """Close it, and have it made in another way from now on."""
        async with self.paused():
            self.make = make

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Keep it closed: users leave first, new ones wait."""
        async with self._turn:
            self._pausing = True
            try:
                for task in self._brief:
                    task.cancel()
                while self._users:
                    self._unused.clear()
                    await self._unused.wait()
            finally:
                self._pausing = False
            its, self._open = self._open, None
            if its is not None:
                # A caller that leaves must not leave it half closed.
                await asyncio.shield(self._close(its))
            yield


every: list[Shared[Any]] = []
"""All that is shared in this process."""
