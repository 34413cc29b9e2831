"""How many requests run at once."""

from __future__ import annotations

from flyte_sidecar.rpc.concurrency_limit import MAX_RESULT_BYTES, MIN_RESULT_BYTES, ConcurrencyLimit
from flyte_sidecar.rpc.task_runner import INITIAL_RESULT_BYTES, MAX_UNFINISHED
from tests.rpc.fake_server import FakeServer, ids_and_kinds, request, run_pending

AT_FIRST = MAX_RESULT_BYTES // INITIAL_RESULT_BYTES
WRITES = MAX_RESULT_BYTES // MIN_RESULT_BYTES


def after_small_results() -> ConcurrencyLimit:
    """Return a limit that has seen many small results."""
    limit = ConcurrencyLimit(INITIAL_RESULT_BYTES)
    for _ in range(100):
        limit.record_size(100)
    return limit


async def test_requests_start_in_order_of_arrival_as_their_results_fit(server: FakeServer) -> None:
    server.send(*(request(n, "work") for n in range(AT_FIRST + 40)))
    await run_pending()
    assert server.started == [str(n) for n in range(AT_FIRST)]
    server.release(0, "x" * INITIAL_RESULT_BYTES * 2)
    await run_pending()
    assert len(server.started) == AT_FIRST
    for n in range(1, AT_FIRST):
        server.release(n)
    await run_pending()
    assert server.started == [str(n) for n in range(AT_FIRST + 40)]
    for n in range(AT_FIRST, AT_FIRST + 40):
        server.release(n)
    await run_pending()
    assert len(server.answers()) == AT_FIRST + 40


async def test_small_results_raise_the_limit_as_far_as_a_large_one_may_follow(
    server: FakeServer,
) -> None:
    for n in range(30):
        server.request(n, "work")
        await run_pending()
        server.release(n)
    await run_pending()
    server.started.clear()
    server.send(*(request(n, "work") for n in range(MAX_UNFINISHED)))
    await run_pending()
    assert AT_FIRST < len(server.started) == MAX_RESULT_BYTES // MIN_RESULT_BYTES
    for n in range(MAX_UNFINISHED):
        server.release(n)
    await run_pending()


async def test_no_request_starts_while_its_result_could_not_be_written(server: FakeServer) -> None:
    server.request("first", "work")
    await run_pending()
    server.send(*(request(n, "work") for n in range(AT_FIRST + 5)))
    server.connection.pause_writing()
    await run_pending()
    for n in range(AT_FIRST + 5):
        server.release(n)
    server.release("first")
    await run_pending()
    begun = len(server.started)
    assert begun == AT_FIRST
    server.connection.resume_writing()
    await run_pending()
    assert len(server.answers()) == AT_FIRST + 6


async def test_a_request_that_has_not_started_can_be_cancelled(server: FakeServer) -> None:
    server.send(*(request(n, "write") for n in range(WRITES + 3)))
    await run_pending()
    begun = [effect.outcome for effect in server.writes]
    assert begun == ["unknown"] * WRITES + ["none"] * 3
    server.cancel(WRITES + 1)
    await run_pending()
    (answer,) = server.answers()
    assert ids_and_kinds([answer]) == [(WRITES + 1, "request_cancelled")]
    assert answer["error"]["data"]["outcome"] == "none"
    for n in range(WRITES + 3):
        if n != WRITES + 1:
            server.release(n)
    await run_pending()
    assert len(server.answers()) == WRITES + 2
    assert all(write.ends for write in server.writes)
    assert server.writes[WRITES + 1].outcome == "none"


async def test_stuck_reads_delay_no_wait_no_write_and_no_light_request(server: FakeServer) -> None:
    server.send(*(request(n, "work") for n in range(AT_FIRST + 3)))
    server.request("wait", "wait")
    server.request("write", "write")
    server.request("light", "light")
    server.request("now", "now")
    await run_pending()
    assert server.started[AT_FIRST:] == ['"wait"', '"light"']
    assert [effect.outcome for effect in server.writes] == ["unknown"]
    for request_id in ("light", "write", "wait"):
        server.release(request_id)
    await run_pending()
    assert {request_id for request_id, _ in ids_and_kinds(server.answers())} == {
        "now",
        "light",
        "write",
        "wait",
    }
    for n in range(AT_FIRST + 3):
        server.release(n)
    await run_pending()


async def test_stuck_writes_do_not_delay_the_answer_to_a_shutdown(server: FakeServer) -> None:
    server.send(*(request(n, "stubborn") for n in range(AT_FIRST)))
    await run_pending()
    server.request("end", "shutdown")
    answers = await server.wait_for(AT_FIRST + 1)
    assert dict(ids_and_kinds(answers))["end"] == "result"
    assert len(server.tasks) == AT_FIRST
    for n in range(AT_FIRST):
        server.release(n)
    await run_pending()


async def test_one_request_can_always_run() -> None:
    limit = ConcurrencyLimit(INITIAL_RESULT_BYTES)
    limit.record_size(MAX_RESULT_BYTES * 3)
    assert limit.acquire() is None
    second = limit.acquire()
    third = limit.acquire()
    assert second is not None
    assert third is not None
    limit.release(second)
    assert not third.done()
    limit.release(None)
    assert third.done()
    assert second.cancelled()


async def test_the_first_to_arrive_starts_first() -> None:
    limit = ConcurrencyLimit(INITIAL_RESULT_BYTES)
    limit.pause()
    turns = [limit.acquire() for _ in range(3)]
    limit.resume()
    assert [turn is not None and turn.done() for turn in turns] == [True] * 3
    assert after_small_results().acquire() is None
