"""TaskRunner that goes on, and work that is late."""

from __future__ import annotations

import asyncio
from typing import Any

from flyte_sidecar.errors import DeadlineExceeded
from flyte_sidecar.rpc.requests import Call
from flyte_sidecar.rpc.task_runner import TaskRunner


async def test_late_work_gets_no_further_than_what_was_said_of_it() -> None:
    settled: list[Any] = []
    went_on: list[str] = []
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write() -> None:
        await turn
        went_on.append("the write was sent")

    work = TaskRunner(lambda call, outcome: settled.append(outcome))
    call = Call()
    work.start(call, write(), 3600)
    await asyncio.sleep(0)
    turn.set_result(None)  # its turn comes in the moment in which its time is up
    work._late(call, 3600)
    assert call.task is not None
    await asyncio.wait({call.task})
    assert isinstance(settled[0], DeadlineExceeded)
    assert went_on == []
