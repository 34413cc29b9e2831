"""The end of a connection: however it comes, what was taken is answered first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from flyte_sidecar._futures import try_set_result, wait_all
from flyte_sidecar.errors import ShuttingDown
from flyte_sidecar.rpc.connection import Connection
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Call, Handler

DRAIN_TIMEOUT = 5.0
"""Seconds that requests are given after the end of input."""

WRITE_DRAIN_TIMEOUT = 10.0
"""Seconds that a write already on its way is given after the end of input."""

SHUTDOWN_TIMEOUT = 1.0
"""Seconds that anything is given after `shutdown` or a signal."""

DRAIN_POLL_INTERVAL = 0.05
"""Seconds after which it is looked whether the client still reads."""

CANCEL_TIMEOUT = 0.1
"""Seconds that work is given to notice that it was cancelled."""

FLUSH_TIMEOUT = 5.0
"""Seconds that a slow reader is given after `shutdown` or a signal."""


class _Nothing(Struct, frozen=True):
    pass


class Shutdown:
    """Ends a connection, and tells with which exit status.

    Attributes
    ----------
    ended
        Done once there is nothing left to do; its result is the exit status.
    at_once
        Whether nobody is left, so that nothing more may be waited for.
    """

    def __init__(self, connection: Connection) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.at_once = False
        self._connection = connection
        self._winding_down: asyncio.Future[None] | None = None
        self._leaving: list[asyncio.Future[None]] = []
        nothing = params_decoder(_Nothing)
        exit_handler = Handler(nothing, self._exit, notification=True, in_batch=False)
        connection.handlers["shutdown"] = Handler(
            nothing, self._shutdown, light=True, in_batch=False
        )
        connection.handlers["exit"] = exit_handler
        connection.on_input_end = self._input_ended
        connection.on_lost = self.end_now

    def end_now(self) -> None:
        """End at once: nobody is left to be answered."""
        self.at_once = not self.ended.done()
        self._end(self._connection.lost_status)

    def terminate(self) -> None:
        """Do as after `shutdown` and `exit`: a signal asks for it."""
        self._connection.accepting = False
        self._leave(self._wind_down(SHUTDOWN_TIMEOUT, SHUTDOWN_TIMEOUT), FLUSH_TIMEOUT, 0)

    def _shutdown(self, _: Any, call: Call) -> asyncio.Future[None]:
        self._connection.accepting = False
        work = self._wind_down(SHUTDOWN_TIMEOUT, SHUTDOWN_TIMEOUT, but=call)
        self._winding_down = asyncio.ensure_future(work)
        return asyncio.shield(self._winding_down)

    def _exit(self, _: Any, __: Call) -> None:
        if self._winding_down is not None:
            self._leave(self._winding_down, FLUSH_TIMEOUT, 0)
        else:
            self._connection.accepting = False
            self._leave(self._wind_down(SHUTDOWN_TIMEOUT, SHUTDOWN_TIMEOUT), FLUSH_TIMEOUT, 1)

    def _input_ended(self, status: int) -> None:
        if self._winding_down is not None:
            self._leave(self._winding_down, FLUSH_TIMEOUT, status)
        else:
            work = self._wind_down(DRAIN_TIMEOUT, WRITE_DRAIN_TIMEOUT, keep_timed_waits=True)
            self._leave(work, None, status)

    async def _wind_down(
        self,
        work: float,
        writes: float,
        *,
        keep_timed_waits: bool = False,
        but: Call | None = None,
    ) -> None:
        """Let requests finish, then end those that have not; times in seconds."""
        calls = {task: call for task, call in self._connection.tasks.items() if call is not but}

        def going(which: Callable[[Call], bool]) -> set[asyncio.Future[Any]]:
            return {task for task, call in calls.items() if not task.done() and which(call)}

        left = work
        while left > 0 and (unfinished := going(lambda call: not call.open_ended)):
            # No work is begun while its answer could not be written: that time is the reader's.
            stuck = keep_timed_waits and self._connection.output.full
            await wait_all(unfinished, min(left, DRAIN_POLL_INTERVAL))
            left -= 0 if stuck else DRAIN_POLL_INTERVAL
        await wait_all(going(lambda call: call.sent), writes - work)
        kept = going(lambda call: keep_timed_waits and call.open_ended and call.timer is not None)
        rest = going(lambda call: True) - kept
        why = ShuttingDown("the sidecar ends before the request could be answered")
        for task in rest:
            calls[task].stop(why)
        # A wait whose event ended in this moment is still answered with it.
        await wait_all(rest, CANCEL_TIMEOUT)
        for task in rest:
            self._connection.settle(calls[task], calls[task].cut_short(why))
        await wait_all(kept)

    def _leave(self, work: Awaitable[None], flush: float | None, status: int) -> None:
        leaving = asyncio.ensure_future(self._finish(work, flush, status))
        self._leaving.append(leaving)  # the loop itself keeps no hold of it

    async def _finish(self, work: Awaitable[None], flush: float | None, status: int) -> None:
        """Write the answers once `work` is done; `flush` bounds it, in seconds."""
        await work
        unanswered = {t for t, call in self._connection.tasks.items() if not call.settled}
        await wait_all(unanswered, CANCEL_TIMEOUT)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._connection.output.drained(), flush)
        self._end(status)

    def _end(self, status: int) -> None:
        try_set_result(self.ended, status)
