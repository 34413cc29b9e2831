"""A task whose result concurrent callers share."""

from __future__ import annotations

import asyncio

import pytest

from flyte_sidecar.backends.flyte.auth.shared_task import KeptTasks, SharedTask
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError


class Work:
    """What a task does: counts, and waits until it is released, or may end when cancelled."""

    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.release = asyncio.Event()
        self.end = asyncio.Event()
        self.ended = asyncio.Event()
        self.error: RpcError | None = None

    async def __call__(self) -> int:
        self.started += 1
        number = self.started
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            await self.end.wait()
            self.cancelled += 1
            self.ended.set()
            raise
        if self.error is not None:
            raise self.error
        return number


async def begin(shared: SharedTask[int], work: Work, count: int) -> list[asyncio.Task[int]]:
    callers = [asyncio.create_task(shared.join(work)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return callers


async def test_concurrent_callers_share_a_task_and_later_ones_start_another() -> None:
    shared, work = SharedTask[int](), Work()
    callers = await begin(shared, work, 3)
    work.release.set()
    assert await asyncio.gather(*callers) == [1, 1, 1]
    assert await shared.join(work) == 2


async def test_each_caller_gets_its_own_error() -> None:
    shared, work = SharedTask[int](), Work()
    callers = await begin(shared, work, 2)
    work.error = RpcError("UNAVAILABLE", "offline")
    work.release.set()
    first, second = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(first, RpcError)
    assert isinstance(second, RpcError)
    assert first is not second
    assert (first.status, first.message) == (second.status, second.message)
    assert first.message == "offline"


async def test_the_task_ends_with_its_last_caller() -> None:
    shared, work = SharedTask[int](), Work()
    first, second = await begin(shared, work, 2)
    first.cancel()
    await asyncio.wait([first])
    assert not work.cancelled
    second.cancel()
    await asyncio.wait([second])
    third, fourth = await begin(shared, work, 2)
    assert work.started == 1  # the first must end before the second starts
    work.end.set()
    work.release.set()
    assert await asyncio.gather(third, fourth) == [2, 2]
    assert work.cancelled == 1


async def test_a_task_can_go_on_without_callers() -> None:
    shared, work = SharedTask[int](linger=None), Work()
    [first] = await begin(shared, work, 1)
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.create_task(shared.join(work))
    await asyncio.sleep(0)
    work.release.set()
    assert await second == 1


async def test_a_task_is_cancelled_some_time_after_its_last_caller() -> None:
    shared, work = SharedTask[int](linger=0.01), Work()
    work.end.set()
    [first] = await begin(shared, work, 1)
    first.cancel()
    await work.ended.wait()
    work.release.set()
    assert await shared.join(work) == 2


async def test_a_caller_that_joins_in_time_keeps_the_task() -> None:
    shared, work = SharedTask[int](linger=0.01), Work()
    [first] = await begin(shared, work, 1)
    first.cancel()
    await asyncio.wait([first])
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, passed.set)
    second = asyncio.create_task(shared.join(work))
    await passed.wait()
    work.release.set()
    assert await second == 1


async def test_the_callers_of_a_closed_task_fail() -> None:
    shared, work = SharedTask[int](linger=None), Work()
    work.end.set()
    [caller] = await begin(shared, work, 1)
    await shared.close()
    with pytest.raises(RpcError, match="the connection was closed"):
        await caller
    assert work.cancelled == 1


async def test_kept_work_goes_on_when_its_caller_is_cancelled() -> None:
    kept, work = KeptTasks(), Work()
    work.end.set()
    caller = asyncio.create_task(kept.run(work()))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    await kept.wait(0)
    waiting = asyncio.create_task(kept.wait(60.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    work.release.set()
    await waiting
    assert (caller.cancelled(), work.cancelled) == (True, 0)


async def test_no_task_starts_after_the_end() -> None:
    shared, work = SharedTask[int](), Work()
    await shared.close()
    with pytest.raises(RpcError, match="the connection was closed"):
        await shared.join(work)
    assert work.started == 0
