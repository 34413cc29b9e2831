"""Reads that go on after the request that started them has timed out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from math import inf
from typing import Any, TypeVar

from msgspec import Struct

from flyte_sidecar._futures import retrieve_exception, wait_all
from flyte_sidecar.errors import ShuttingDown
from flyte_sidecar.events.attended_logins import AttendedLogins
from flyte_sidecar.events.model import BackendName

T = TypeVar("T")

MAX_LEFT = 8
"""Maximum number of reads that wait for their next request; each has a page at most."""

RESULT_LIFETIME = 60.0
"""How long the result of such a read can be used, in seconds."""


class _Left(Struct, eq=False):
    """A read that waits for its next request, and when it was finished."""

    task: asyncio.Task[Any]
    finished_at: float = inf


class PatientReads:
    """Reads with a timeout, after which they go on: the next request of the same continues.

    Otherwise a backend that takes longer could never be read, and no person could log in.

    Parameters
    ----------
    timeout
        Seconds to wait for a read.
    logins
        The logins for which the person at the terminal waits: the timeout begins after them.

    Attributes
    ----------
    timeout
        As the parameter.
    """

    def __init__(self, timeout: float, logins: AttendedLogins | None) -> None:
        self.timeout = timeout
        self._logins = logins
        self._running: set[asyncio.Task[Any]] = set()
        self._left: dict[tuple[BackendName, Hashable], _Left] = {}
        self._writes: Counter[BackendName] = Counter()

    async def read(
        self, name: BackendName, key: Hashable, start: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Return what a coroutine returns, or one of the same key that was left.

        Parameters
        ----------
        name
            The backend that is read.

        Raises
        ------
        TimeoutError
            If it has not returned yet.
        ShuttingDown
            After `close`.
        """
        task: asyncio.Task[T] = self._take(name, key) or self._start(start())
        earlier_writes = self._writes[name]
        try:
            responds = await self._wait(task)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not responds:
            if self._writes[name] == earlier_writes:
                self._leave(name, key, task)
            else:
                task.cancel()
            raise TimeoutError
        if task.cancelled():
            raise ShuttingDown("the backends are being closed")
        return task.result()

    def end_write(self, name: BackendName) -> None:
        """Let no later request continue a read of a backend: it may lack a write that has ended."""
        self._writes[name] += 1
        for key in [key for key in self._left if key[0] == name]:
            self._left.pop(key).task.cancel()

    async def close(self) -> None:
        """Cancel all reads."""
        self._left.clear()
        for task in self._running:
            task.cancel()
        await wait_all(self._running)

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(retrieve_exception)
        return task

    async def _wait(self, task: asyncio.Task[T]) -> bool:
        """Return whether the task is done in time."""
        while not task.done():
            first: set[asyncio.Future[Any]] = {task}
            timeout: float | None = self.timeout
            if self._logins is not None:
                first.add(self._logins.changed())
                timeout = None if self._logins.open else timeout
            done, _ = await asyncio.wait(
                first, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return False
        return True

    def _take(self, name: BackendName, key: Hashable) -> asyncio.Task[T] | None:
        left = self._left.pop((name, key), None)
        if left is None or asyncio.get_running_loop().time() > left.finished_at + RESULT_LIFETIME:
            return None
        return left.task

    def _leave(self, name: BackendName, key: Hashable, task: asyncio.Task[T]) -> None:
        full_key, loop = (name, key), asyncio.get_running_loop()
        if full_key in self._left:  # by a request that has waited for longer
            task.cancel()
            return
        if len(self._left) == MAX_LEFT:
            oldest = next(iter(self._left))
            self._left.pop(oldest).task.cancel()
        left = self._left[full_key] = _Left(task)

        def finish(_: asyncio.Task[T]) -> None:
            left.finished_at = loop.time()
            failed = task.cancelled() or task.exception() is not None
            if failed and self._left.get(full_key) is left:
                del self._left[full_key]  # the next request tries again

        task.add_done_callback(finish)
