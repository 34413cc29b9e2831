"""Running requests, and requests whose timeout passes."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Raw

from flyte_sidecar.errors import DeadlineExceeded
from flyte_sidecar.rpc.requests import Deferred, Handler, Request
from flyte_sidecar.rpc.task_runner import TaskRunner


async def test_a_timed_out_write_is_not_sent_after_its_outcome_was_reported() -> None:
    outcomes: list[Any] = []
    sent: list[str] = []
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write() -> None:
        await turn
        sent.append("the write was sent")

    runner = TaskRunner(lambda _, outcome: outcomes.append(outcome), lambda: None)
    request = Request(b"1", b"1", "write", Raw(b"{}"), 0)
    handler = Handler(lambda raw: None, lambda params, context: None)
    pending = runner.start(request, handler, Deferred(write()), 3600)
    await asyncio.sleep(0)
    turn.set_result(None)  # it may start in the moment in which its timeout passes
    runner._time_out(pending, 3600)
    await asyncio.wait({pending.task})
    assert isinstance(outcomes[0], DeadlineExceeded)
    assert sent == []
