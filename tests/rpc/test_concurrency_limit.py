"""How much work goes on at once."""

from __future__ import annotations

from flyte_sidecar.rpc.concurrency_limit import MAX_RESULT_BYTES, MIN_RESULT_BYTES, ConcurrencyLimit
from flyte_sidecar.rpc.task_runner import INITIAL_RESULT_BYTES, MAX_UNFINISHED
from tests.rpc.bench import Bench, request, settled, told

AT_FIRST = MAX_RESULT_BYTES // INITIAL_RESULT_BYTES
WRITES = MAX_RESULT_BYTES // MIN_RESULT_BYTES


def opened() -> ConcurrencyLimit:
    """Return a window that has seen many small results."""
    window = ConcurrencyLimit(INITIAL_RESULT_BYTES)
    for _ in range(100):
        window.record_size(100)
    return window


async def test_work_begins_in_the_order_of_its_coming_as_its_results_fit(bench: Bench) -> None:
    bench.send(*(request(n, "work") for n in range(AT_FIRST + 40)))
    await settled()
    assert bench.begun == [str(n) for n in range(AT_FIRST)]
    bench.release(0, "x" * INITIAL_RESULT_BYTES * 2)
    await settled()
    assert len(bench.begun) == AT_FIRST
    for n in range(1, AT_FIRST):
        bench.release(n)
    await settled()
    assert bench.begun == [str(n) for n in range(AT_FIRST + 40)]
    for n in range(AT_FIRST, AT_FIRST + 40):
        bench.release(n)
    await settled()
    assert len(bench.answers()) == AT_FIRST + 40


async def test_small_results_open_the_window_as_far_as_a_large_one_may_follow(
    bench: Bench,
) -> None:
    for n in range(30):
        bench.ask(n, "work")
        await settled()
        bench.release(n)
    await settled()
    bench.begun.clear()
    bench.send(*(request(n, "work") for n in range(MAX_UNFINISHED)))
    await settled()
    assert AT_FIRST < len(bench.begun) == MAX_RESULT_BYTES // MIN_RESULT_BYTES
    for n in range(MAX_UNFINISHED):
        bench.release(n)
    await settled()


async def test_no_work_begins_while_its_result_could_not_be_written(bench: Bench) -> None:
    bench.ask("first", "work")
    await settled()
    bench.send(*(request(n, "work") for n in range(AT_FIRST + 5)))
    bench.connection.pause_writing()
    await settled()
    for n in range(AT_FIRST + 5):
        bench.release(n)
    bench.release("first")
    await settled()
    begun = len(bench.begun)
    assert begun == AT_FIRST
    bench.connection.resume_writing()
    await settled()
    assert len(bench.answers()) == AT_FIRST + 6


async def test_work_that_has_not_begun_can_be_cancelled(bench: Bench) -> None:
    bench.send(*(request(n, "write") for n in range(WRITES + 3)))
    await settled()
    begun = [effect.outcome for effect in bench.writes]
    assert begun == ["unknown"] * WRITES + ["none"] * 3
    bench.cancel(WRITES + 1)
    await settled()
    (answer,) = bench.answers()
    assert told([answer]) == [(WRITES + 1, "request_cancelled")]
    assert answer["error"]["data"]["outcome"] == "none"
    for n in range(WRITES + 3):
        if n != WRITES + 1:
            bench.release(n)
    await settled()
    assert len(bench.answers()) == WRITES + 2
    assert all(write.ends for write in bench.writes)
    assert bench.writes[WRITES + 1].outcome == "none"


async def test_stuck_work_delays_no_wait_no_write_and_nothing_small(bench: Bench) -> None:
    bench.send(*(request(n, "work") for n in range(AT_FIRST + 3)))
    bench.ask("wait", "wait")
    bench.ask("write", "write")
    bench.ask("light", "light")
    bench.ask("now", "now")
    await settled()
    assert bench.begun[AT_FIRST:] == ['"wait"', '"light"']
    assert [effect.outcome for effect in bench.writes] == ["unknown"]
    for identity in ("light", "write", "wait"):
        bench.release(identity)
    await settled()
    assert {identity for identity, _ in told(bench.answers())} == {"now", "light", "write", "wait"}
    for n in range(AT_FIRST + 3):
        bench.release(n)
    await settled()


async def test_stuck_writes_do_not_delay_the_answer_to_a_shutdown(bench: Bench) -> None:
    bench.send(*(request(n, "stubborn") for n in range(AT_FIRST)))
    await settled()
    bench.ask("end", "shutdown")
    answers = await bench.soon(AT_FIRST + 1)
    assert dict(told(answers))["end"] == "result"
    assert len(bench.tasks) == AT_FIRST
    for n in range(AT_FIRST):
        bench.release(n)
    await settled()


async def test_there_is_always_room_for_one() -> None:
    window = ConcurrencyLimit(INITIAL_RESULT_BYTES)
    window.record_size(MAX_RESULT_BYTES * 3)
    assert window.acquire() is None
    second = window.acquire()
    third = window.acquire()
    assert second is not None
    assert third is not None
    window.release(second)
    assert not third.done()
    window.release(None)
    assert third.done()
    assert second.cancelled()


async def test_whoever_came_first_is_let_in_first() -> None:
    window = ConcurrencyLimit(INITIAL_RESULT_BYTES)
    window.pause()
    turns = [window.acquire() for _ in range(3)]
    window.resume()
    assert [turn is not None and turn.done() for turn in turns] == [True] * 3
    assert opened().acquire() is None
