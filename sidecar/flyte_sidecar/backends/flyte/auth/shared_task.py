"""Tasks whose results concurrent callers share, or that outlive their callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from flyte_sidecar._futures import retrieve_exception, wait_all
from flyte_sidecar.backends.flyte.rpc.rpc_transport import ConnectionClosed, RpcError

T = TypeVar("T")


class KeptTasks:
    """Runs work that goes on when those who wait for it are cancelled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of the work."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(retrieve_exception)
        return await asyncio.shield(task)

    async def wait(self, timeout: float) -> None:
        """Wait until all work is done, for at most `timeout` seconds."""
        await wait_all(self._tasks, timeout)


class SharedTask(Generic[T]):
    """Runs a coroutine in a task that the concurrent callers of `join` share.

    Parameters
    ----------
    linger
        How long the task goes on when all its callers have been cancelled, in seconds; None: to its
        end.
    """

    def __init__(self, *, linger: float | None = 0.0) -> None:
        self._linger = linger
        self._closed = False
        self._task: asyncio.Task[T] | None = None
        self._callers = 0
        self._timer: asyncio.TimerHandle | None = None

    async def join(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of the running task; start it if there is none.

        Raises
        ------
        RpcError
            The failure of the task; `CANCELLED` after `close`.
        """
        while self._task is not None and self._task.cancelling():
            await wait_all([self._task])
        if self._task is None:
            if self._closed:
                raise ConnectionClosed()
            self._task = asyncio.create_task(start())
            self._task.add_done_callback(self._end)
        task = self._task
        self._callers += 1
        if self._timer is not None:
            self._timer.cancel()
        try:
            return await asyncio.shield(task)
        except RpcError as error:
            # The error belongs to all callers, and each may change its own.
            raise RpcError(error.status, error.message) from None
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            raise ConnectionClosed() from None
        finally:
            self._callers -= 1
            if self._callers == 0 and self._linger is not None:
                if self._linger > 0:
                    loop = asyncio.get_running_loop()
                    self._timer = loop.call_later(self._linger, task.cancel)
                else:
                    task.cancel()

    async def close(self) -> None:
        """Cancel the task, wait for its end, and start no other."""
        self._closed = True
        if self._task is not None:
            task = self._task
            task.cancel()
            await wait_all([task])

    def _end(self, task: asyncio.Task[T]) -> None:
        retrieve_exception(task)
        self._task = None
