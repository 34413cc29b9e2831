"""The helpers for futures."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flyte_sidecar._futures import (
    prefer_result,
    resolve,
    retrieve_exception,
    run_in_thread,
    try_set_exception,
    try_set_result,
    wait_all,
)


def future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


async def test_a_result_is_resolved_whether_or_not_it_has_to_be_awaited() -> None:
    done = future()
    done.set_result(2)

    async def compute() -> int:
        return 3

    assert [await resolve(1), await resolve(done), await resolve(compute())] == [1, 2, 3]


async def test_a_done_future_keeps_its_result() -> None:
    done = future()
    try_set_result(done, 1)
    try_set_result(done, 2)
    try_set_exception(done, ValueError())
    assert done.result() == 1


async def test_a_cancelled_future_has_no_exception_to_retrieve() -> None:
    cancelled = future()
    cancelled.cancel()
    retrieve_exception(cancelled)


async def test_a_result_wins_over_a_cancellation_at_the_same_time() -> None:
    awaited = future()
    caller = asyncio.ensure_future(prefer_result(awaited))
    await asyncio.sleep(0)
    awaited.set_result(1)
    caller.cancel()
    assert await caller == 1


async def test_a_cancellation_before_the_result_is_raised() -> None:
    awaited = future()
    caller = asyncio.ensure_future(prefer_result(awaited))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert awaited.cancelled()


async def test_waiting_for_all_raises_nothing_and_cancels_nothing() -> None:
    await wait_all([])
    failed, pending = future(), future()
    failed.set_exception(ValueError())
    failed.add_done_callback(retrieve_exception)
    await wait_all([failed])
    await wait_all([failed, pending], timeout=0)
    waiting = asyncio.ensure_future(wait_all([pending]))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not pending.done()


async def test_a_function_runs_in_another_thread() -> None:
    assert await run_in_thread(threading.get_ident) != threading.get_ident()
    assert await run_in_thread(dict, a=1) == {"a": 1}
    with pytest.raises(RuntimeError, match="inside"):
        await run_in_thread(fail)


def fail() -> None:
    raise RuntimeError("inside")


async def test_a_function_runs_at_once_if_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert await run_in_thread(threading.get_ident) == threading.get_ident()
