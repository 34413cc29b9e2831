"""Requests that could not be answered at once: their tasks, and how many there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from sidecar.errors import DeadlineExceeded, InternalError, ShuttingDown, SidecarError
from sidecar.rpc.calls import Call

LATER = (CoroutineType, asyncio.Future)
"""What a result that is not there yet is an instance of."""

logger = logging.getLogger(__name__)


class Work:
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
    unfinished
        How many of them are not.
    over
        Set at the end: what is cancelled then is no defect.
    """

    def __init__(self, settle: Callable[[Call, Any], None]) -> None:
        self.tasks: dict[asyncio.Future[Any], Call] = {}
        self.waits = 0
        self.unfinished = 0
        self.over = False
        self._settle = settle

    def start(self, call: Call, later: Any, timeout: float | None) -> None:
        """Go on with a request; `timeout` in seconds."""
        call.task = asyncio.ensure_future(later)
        self.tasks[call.task] = call
        if call.open_ended:
            self.waits += 1
        else:
            self.unfinished += 1
        if timeout is not None:
            loop = asyncio.get_running_loop()
            call.timer = loop.call_later(timeout, self._late, call, timeout)
        call.task.add_done_callback(self._finished)

    def _late(self, call: Call, timeout: float) -> None:
        late = DeadlineExceeded(f"timeoutSeconds has passed: {timeout:g}")
        self._settle(call, late)
        if call.task is not None and call.ending is None:
            # At once: what was said of its effect holds only if it gets no further.
            call.ending = late
            call.task.cancel()

    def _finished(self, task: asyncio.Future[Any]) -> None:
        call = self.tasks.pop(task)
        if call.open_ended:
            self.waits -= 1
        else:
            self.unfinished -= 1
        if task.cancelled():
            outcome: Any = self._unasked() if call.ending is None else call.cut_short(call.ending)
        else:
            error = task.exception()
            if error is None:
                outcome = task.result()
            else:
                outcome = error if isinstance(error, SidecarError) else defect(error)
        self._settle(call, outcome)

    def _unasked(self) -> SidecarError:
        """Answer for work that was cancelled, and not by its client."""
        if self.over:
            return ShuttingDown("the sidecar has ended")
        return defect(RuntimeError("the work was cancelled"))


def defect(error: BaseException) -> InternalError:
    """Answer for a fault of ours: the log has it, without what the request carried."""
    logger.error("internal error: %s", type(error).__name__)
    logger.debug("the fault", exc_info=error)
    return InternalError("the sidecar failed; its log has more at the level debug")
