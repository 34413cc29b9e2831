"""Running requests whose result is not known at once, and completing each of them once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from flyte_sidecar._internal_error import internal_error
from flyte_sidecar.errors import DeadlineExceeded, ShuttingDown, SidecarError
from flyte_sidecar.rpc.cancellation import cancel_now, outcome_when_interrupted
from flyte_sidecar.rpc.concurrency_limit import MIN_RESULT_BYTES, ConcurrencyLimit
from flyte_sidecar.rpc.requests import Deferred, Handler, PendingRequest, Request

INITIAL_RESULT_BYTES = 4 << 20
"""Expected size of a read's result in bytes before any result was seen."""

MAX_UNFINISHED = 256
"""Number of unfinished requests at which reading stops (back-pressure)."""

MAX_WAITS = 10_000
"""Maximum number of open-ended requests. Further ones are rejected."""

MAX_REQUEST_BYTES = 64 << 20
"""Limit for the messages of all unfinished requests, and for those of all open-ended ones."""


class TaskRunner:
    """The pending requests of a connection.

    Parameters
    ----------
    respond
        Called once per request with its outcome: a result or a SidecarError.
    finished
        Called when more requests may be read: a task has ended, or all may have to wait for long.

    Attributes
    ----------
    tasks
        The running tasks and their requests, some of which are completed already.
    waits
        Number of tasks of open-ended requests.
    has_room
        Whether more requests may be read; false during back-pressure by unfinished requests.
    ended
        Whether the connection is lost: a task cancelled afterwards is no internal error.
    """

    def __init__(
        self, respond: Callable[[PendingRequest, Any], None], finished: Callable[[], None]
    ) -> None:
        self.tasks: dict[asyncio.Future[Any], PendingRequest] = {}
        self.waits = 0
        self.ended = False
        self.has_room = True
        self._respond = respond
        self._on_finished = finished
        # Reads delay no write. A read may wait for earlier writes, which never wait for reads.
        self._reads = ConcurrencyLimit(INITIAL_RESULT_BYTES)
        # A write that waits for others delays the reads behind it.
        self._writes = ConcurrencyLimit(MIN_RESULT_BYTES)
        self._unfinished = 0
        self._unfinished_bytes = 0
        self._long_waits = 0
        self._wait_bytes = 0

    @property
    def has_room_for_waits(self) -> bool:
        """Whether one more open-ended request may start."""
        return self.waits < MAX_WAITS and self._wait_bytes < MAX_REQUEST_BYTES

    def start(
        self, request: Request, handler: Handler, deferred: Deferred, timeout: float | None
    ) -> PendingRequest:
        """Start the work of a request; `timeout` in seconds."""
        limit = turn = None
        if not handler.open_ended and not handler.light:
            limit = self._reads if deferred.write is None else self._writes
            turn = limit.acquire()
        work = deferred.work
        task = asyncio.ensure_future(work if turn is None else _in_turn(turn, work))
        if turn is not None and isinstance(work, CoroutineType):
            task.add_done_callback(lambda _: work.close())  # it may never have started
        pending = PendingRequest(request, handler, deferred, task, limit, turn)
        self.tasks[task] = pending
        self._count(pending, 1)
        if timeout is not None:
            loop = asyncio.get_running_loop()
            pending.timer = loop.call_later(timeout, self._time_out, pending, timeout)
        task.add_done_callback(self._finished)
        return pending

    def complete(self, pending: PendingRequest, outcome: Any) -> None:
        """Complete a request; only its first outcome counts."""
        if not pending.completed:
            pending.completed = True
            if pending.timer is not None:
                pending.timer.cancel()
            self._respond(pending, outcome)
        if pending.deferred.write is not None and pending.task.done():
            pending.deferred.write.end()

    def pause(self) -> None:
        """Start no request whose result may be large, because results cannot be written."""
        self._reads.pause()
        self._writes.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._reads.resume()
        self._writes.resume()

    def count_long_waits(self, by: int) -> None:
        """Count what all requests may have to wait for, for minutes, such as a person.

        Meanwhile more requests are read: a cancellation or `shutdown` may follow them.
        """
        self._long_waits += by
        self._update_room()
        self._on_finished()

    def _time_out(self, pending: PendingRequest, timeout: float) -> None:
        reason = DeadlineExceeded(f"timeoutSeconds has passed: {timeout:g}")
        self.complete(pending, outcome_when_interrupted(pending, reason))
        cancel_now(pending, reason)

    def _finished(self, task: asyncio.Future[Any]) -> None:
        pending = self.tasks.pop(task)
        outcome: Any
        self._count(pending, -1)
        if task.cancelled():
            reason = pending.cancel_reason
            outcome = (
                self._unexpected() if reason is None else outcome_when_interrupted(pending, reason)
            )
        else:
            error = task.exception()
            if error is None:
                outcome = task.result()
            else:
                outcome = error if isinstance(error, SidecarError) else internal_error(error)
        self.complete(pending, outcome)
        if pending.limit is not None:
            pending.limit.release(pending.turn)
        self._on_finished()

    def _count(self, pending: PendingRequest, by: int) -> None:
        size = pending.request.size
        if pending.handler.open_ended:
            self.waits += by
            self._wait_bytes += by * size
        else:
            self._unfinished += by * pending.deferred.weight
            self._unfinished_bytes += by * size
            self._update_room()

    def _update_room(self) -> None:
        maximum = MAX_WAITS if self._long_waits else MAX_UNFINISHED
        self.has_room = self._unfinished < maximum and self._unfinished_bytes < MAX_REQUEST_BYTES

    def _unexpected(self) -> SidecarError:
        """Return the error of a task that was cancelled for no recorded reason."""
        if self.ended:
            return ShuttingDown("the sidecar has ended")
        return internal_error(RuntimeError("the task was cancelled"))


async def _in_turn(turn: asyncio.Future[None], work: Any) -> Any:
    await turn
    return await work
