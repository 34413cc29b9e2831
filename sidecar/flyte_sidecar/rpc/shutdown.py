"""The end of a connection: pending requests are answered first, within time limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from flyte_sidecar._futures import try_set_result, wait_all
from flyte_sidecar.errors import ShuttingDown
from flyte_sidecar.rpc.cancellation import cancel, outcome_when_interrupted
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.output_queue import OutputQueue
from flyte_sidecar.rpc.parent_process import watch_parent
from flyte_sidecar.rpc.requests import Context, Handler, PendingRequest
from flyte_sidecar.rpc.task_runner import TaskRunner

DRAIN_TIMEOUT = 5.0
"""Seconds that requests may take after the end of input."""

WRITE_DRAIN_TIMEOUT = 10.0
"""Seconds that a write that was already sent may take after the end of input."""

SHUTDOWN_TIMEOUT = 1.0
"""Seconds that requests may take after `shutdown` or a signal."""

DRAIN_POLL_INTERVAL = 0.05
"""Seconds between two checks whether the client still reads."""

CANCEL_TIMEOUT = 0.1
"""Seconds that a cancelled task may take to end."""

FLUSH_TIMEOUT = 5.0
"""Seconds that a slow reader may take after `shutdown` or a signal."""


class _NoParams(Struct, frozen=True):
    pass


class Shutdown:
    """Ends a connection and determines the exit status.

    Attributes
    ----------
    started
        Whether further requests are rejected.
    ended
        Done when the connection has ended; its result is the exit status.
    at_once
        Whether the client is gone, so that nothing may delay the end.
    """

    def __init__(self, runner: TaskRunner, output: OutputQueue) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.started = False
        self.at_once = False
        self._runner = runner
        self._output = output
        self._drained: asyncio.Future[None] | None = None  # by the request `shutdown`
        self._endings: list[asyncio.Future[None]] = []

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers of `shutdown` and `exit`."""
        decode = params_decoder(_NoParams)
        return {
            "shutdown": Handler(decode, self._shutdown, light=True, in_batch=False),
            "exit": Handler(decode, self._exit, notification=True, in_batch=False),
        }

    def end_now(self, status: int = 0) -> None:
        """End at once, because the client is gone."""
        self.at_once = not self.ended.done()
        self._end(status)

    def end_with_process(self, pid: int) -> None:
        """End at once when the process ends."""
        watch_parent(pid, self.end_now)

    def terminate(self) -> None:
        """End as after `shutdown` and `exit`, because of a signal."""
        self.started = True
        self._end_after(self._drain(SHUTDOWN_TIMEOUT, SHUTDOWN_TIMEOUT), FLUSH_TIMEOUT, 0)

    def input_ended(self, status: int) -> None:
        """End with the status after the end of input."""
        if self._drained is not None:
            self._end_after(self._drained, FLUSH_TIMEOUT, status)
        else:
            work = self._drain(DRAIN_TIMEOUT, WRITE_DRAIN_TIMEOUT, keep_timed_waits=True)
            self._end_after(work, None, status)

    def _shutdown(self, _: Any, __: Context) -> asyncio.Future[None]:
        self.started = True
        self._drained = asyncio.ensure_future(self._drain(SHUTDOWN_TIMEOUT, SHUTDOWN_TIMEOUT))
        return asyncio.shield(self._drained)

    def _exit(self, _: Any, __: Context) -> None:
        if self._drained is not None:
            self._end_after(self._drained, FLUSH_TIMEOUT, 0)
        else:
            self.started = True
            self._end_after(self._drain(SHUTDOWN_TIMEOUT, SHUTDOWN_TIMEOUT), FLUSH_TIMEOUT, 1)

    def _drain(
        self, timeout: float, write_timeout: float, *, keep_timed_waits: bool = False
    ) -> Awaitable[None]:
        """Let the requests that are pending now finish, then end the others; times in seconds.

        A `shutdown` request that calls this is not pending yet.
        """
        return self._drain_tasks(dict(self._runner.tasks), timeout, write_timeout, keep_timed_waits)

    async def _drain_tasks(
        self,
        tasks: dict[asyncio.Future[Any], PendingRequest],
        timeout: float,
        write_timeout: float,
        keep_timed_waits: bool,
    ) -> None:
        def running(which: Callable[[PendingRequest], bool]) -> set[asyncio.Future[Any]]:
            return {task for task, pending in tasks.items() if not task.done() and which(pending)}

        left = timeout
        while left > 0 and (unfinished := running(lambda pending: not pending.handler.open_ended)):
            # Back-pressure: no request starts, so the time does not count.
            paused = keep_timed_waits and self._output.full
            await wait_all(unfinished, min(left, DRAIN_POLL_INTERVAL))
            left -= 0 if paused else DRAIN_POLL_INTERVAL
        await wait_all(running(lambda pending: pending.may_have_written), write_timeout - timeout)
        kept = running(
            lambda pending: (
                keep_timed_waits and pending.handler.open_ended and pending.timer is not None
            )
        )
        rest = running(lambda _: True) - kept
        reason = ShuttingDown("the sidecar ends before the request could be answered")
        for task in rest:
            cancel(tasks[task], reason)
        # A wait whose event has just been resolved still returns it.
        await wait_all(rest, CANCEL_TIMEOUT)
        for task in rest:
            self._runner.complete(tasks[task], outcome_when_interrupted(tasks[task], reason))
        await wait_all(kept)

    def _end_after(self, work: Awaitable[None], flush: float | None, status: int) -> None:
        ending = asyncio.ensure_future(self._finish(work, flush, status))
        self._endings.append(ending)  # the loop itself keeps only a weak reference

    async def _finish(self, work: Awaitable[None], flush: float | None, status: int) -> None:
        """Write the responses once `work` is done, within `flush` seconds."""
        await work
        unanswered = {task for task, pending in self._runner.tasks.items() if not pending.completed}
        await wait_all(unanswered, CANCEL_TIMEOUT)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._output.drained(), flush)
        self._end(status)

    def _end(self, status: int) -> None:
        try_set_result(self.ended, status)
