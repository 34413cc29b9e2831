"""TaskRunner that goes on, and work that is late."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Raw

from flyte_sidecar.errors import DeadlineExceeded
from flyte_sidecar.rpc.requests import Deferred, Handler, Request
from flyte_sidecar.rpc.task_runner import TaskRunner


async def test_late_work_gets_no_further_than_what_was_said_of_it() -> None:
    settled: list[Any] = []
    went_on: list[str] = []
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write() -> None:
        await turn
        went_on.append("the write was sent")

    runner = TaskRunner(lambda _, outcome: settled.append(outcome), lambda: None)
    request = Request(b"1", b"1", "write", Raw(b"{}"), 0)
    handler = Handler(lambda raw: None, lambda params, context: None)
    pending = runner.start(request, handler, Deferred(write()), 3600)
    await asyncio.sleep(0)
    turn.set_result(None)  # its turn comes in the moment in which its time is up
    runner._time_out(pending, 3600)
    await asyncio.wait({pending.task})
    assert isinstance(settled[0], DeadlineExceeded)
    assert went_on == []
