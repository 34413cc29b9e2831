from __future__ import annotations

import asyncio
import gc
import weakref

from flyte_sidecar.events.model import Run, Target
from flyte_sidecar.events.write_order import Write, WriteOrder, ended

RUN = Run(None, "local", "local", "r1")


async def test_reads_wait_for_every_write_of_their_run() -> None:
    order = WriteOrder()
    one = order.enter(Target(RUN, name="x"))
    two = order.enter(Target(RUN, action_name="a"))
    order.enter(Target(Run(None, None, None, "r2"), name="x"))
    assert set(order.before(RUN)) == {one, two}
    one.end()
    assert order.before(RUN) == [two]
    two.end()
    assert order.before(RUN) == []


async def test_cancelling_a_request_that_waits_for_a_write_does_not_cancel_the_write() -> None:
    order = WriteOrder()
    write = order.enter(Target(RUN, name="x"))
    waiting = asyncio.ensure_future(ended([write]))
    other = asyncio.ensure_future(ended([write]))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    write.end()
    await other


async def test_a_chain_of_overlapping_writes_keeps_none_of_the_ended_alive() -> None:
    order = WriteOrder()
    last: Write | None = None
    seen: list[weakref.ref[Write]] = []
    for _ in range(100):
        write = order.enter(Target(RUN, name="x"))
        seen.append(weakref.ref(write))
        if last is not None:
            last.end()
        last = write
    del write
    gc.collect()
    assert sum(one() is not None for one in seen) <= 2
