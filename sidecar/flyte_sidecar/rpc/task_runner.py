"""Requests that could not be answered at once: their tasks, and how many there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from types import CoroutineType
from typing import Any

from flyte_sidecar.errors import DeadlineExceeded, InternalError, ShuttingDown, SidecarError
from flyte_sidecar.rpc.concurrency_limit import MIN_RESULT_BYTES, ConcurrencyLimit
from flyte_sidecar.rpc.requests import Call

INITIAL_RESULT_BYTES = 4 << 20
"""Bytes that the result of a read is expected to have before any was seen."""

MAX_UNFINISHED = 256
"""Requests at work beyond which no more are taken."""

MAX_WAITS = 10_000
"""Open-ended requests beyond which a new one is refused."""

MAX_BYTES = 64 << 20
"""Of the messages of all unfinished requests, and of all open-ended ones."""

logger = logging.getLogger(__name__)


class TaskRunner:
    """The tasks of a connection.

    Parameters
    ----------
    settle
        Told what became of each.

    Attributes
    ----------
    tasks
        The work that goes on, whether its request is answered already or not.
    waits
        How many of them are open-ended.
    has_room
        Whether more requests may be taken.
    over
        Set at the end: what is cancelled then is no internal_error.
    """

    def __init__(self, settle: Callable[[Call, Any], None]) -> None:
        self.tasks: dict[asyncio.Future[Any], Call] = {}
        self.waits = 0
        self.over = False
        self.has_room = True
        self._settle = settle
        # Reads delay no write. A read may wait for earlier writes, which never wait for reads.
        self._reads = ConcurrencyLimit(INITIAL_RESULT_BYTES)
        # A write that waits for others delays the reads behind it.
        self._writes = ConcurrencyLimit(MIN_RESULT_BYTES)
        self._unfinished = 0
        self._unfinished_bytes = 0
        self._wait_bytes = 0

    @property
    def has_room_for_waits(self) -> bool:
        """Whether one more request may stay open."""
        return self.waits < MAX_WAITS and self._wait_bytes < MAX_BYTES

    def start(self, call: Call, later: Any, timeout: float | None) -> None:
        """Go on with a request; `timeout` in seconds."""
        if not call.open_ended and not call.light:
            call.window = self._reads if call.effect is None else self._writes
            call.turn = call.window.acquire()
        work = later if call.turn is None else _in_turn(call.turn, later)
        call.task = asyncio.ensure_future(work)
        if call.turn is not None and isinstance(later, CoroutineType):
            call.task.add_done_callback(lambda _: later.close())  # it may never have begun
        self.tasks[call.task] = call
        self._count(call, 1)
        if timeout is not None:
            loop = asyncio.get_running_loop()
            call.timer = loop.call_later(timeout, self._late, call, timeout)
        call.task.add_done_callback(self._finished)

    def pause(self) -> None:
        """Begin no work whose result may be large, because results cannot be delivered."""
        self._reads.pause()
        self._writes.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._reads.resume()
        self._writes.resume()

    def _late(self, call: Call, timeout: float) -> None:
        late = DeadlineExceeded(f"timeoutSeconds has passed: {timeout:g}")
        self._settle(call, late)
        if call.task is not None and call.ending is None:
            # At once: what was said of its effect holds only if it gets no further.
            call.ending = late
            call.task.cancel()

    def _finished(self, task: asyncio.Future[Any]) -> None:
        call = self.tasks.pop(task)
        self._count(call, -1)
        if task.cancelled():
            outcome: Any = self._unasked() if call.ending is None else call.cut_short(call.ending)
        else:
            error = task.exception()
            if error is None:
                outcome = task.result()
            else:
                outcome = error if isinstance(error, SidecarError) else internal_error(error)
        self._settle(call, outcome)
        if call.batch is not None:
            call.task = None  # which holds the result for as long as the batch is open
        if call.window is not None:
            call.window.release(call.turn)

    def _count(self, call: Call, by: int) -> None:
        if call.open_ended:
            self.waits += by
            self._wait_bytes += by * call.size
        else:
            self._unfinished += by
            self._unfinished_bytes += by * call.size
            few = self._unfinished < MAX_UNFINISHED
            self.has_room = few and self._unfinished_bytes < MAX_BYTES

    def _unasked(self) -> SidecarError:
        """Answer for work that was cancelled, and not by its client."""
        if self.over:
            return ShuttingDown("the sidecar has ended")
        return internal_error(RuntimeError("the work was cancelled"))


async def _in_turn(turn: asyncio.Future[None], later: Any) -> Any:
    await turn
    return await later


def internal_error(error: BaseException) -> InternalError:
    """Answer for a fault of ours: the log has it, without what the request carried."""
    with suppress(Exception):  # nothing that logging does may prevent an answer
        logger.error("internal error: %s", type(error).__name__)
        logger.debug("the fault", exc_info=error)
    return InternalError("the sidecar failed; its log has more at the level debug")
