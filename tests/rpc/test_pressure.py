"""Back-pressure: a client that sends faster than it reads, or than requests finish."""

from __future__ import annotations

import asyncio
from typing import Any

from flyte_sidecar.rpc.task_runner import MAX_UNFINISHED, MAX_WAITS
from tests.conftest import TEST_TIMEOUT
from tests.rpc.bench import Bench, ids_and_kinds, kind, request, run_pending


async def test_while_output_is_stuck_no_message_is_read_and_nothing_is_lost(bench: Bench) -> None:
    bench.ask("before", "work")
    await run_pending()
    bench.connection.pause_writing()
    taken = bench.counters.requests
    bench.send(*(request(n, "now") for n in range(500)))
    bench.release("before")
    await run_pending()
    assert bench.counters.requests == taken
    assert bench.transport.turns == [False]
    assert bench.answers() == []
    bench.connection.resume_writing()
    await run_pending()
    assert bench.transport.turns == [False, True]
    assert [answer["id"] for answer in bench.answers()] == ["before", *range(500)]


async def test_responses_are_encoded_only_when_there_is_room(bench: Bench) -> None:
    for n in range(10):
        bench.ask(n, "work")
    await run_pending()
    bench.connection.pause_writing()
    results: list[Any] = [{"n": n} for n in range(10)]
    for n, result in enumerate(results):
        bench.release(n, result)
    await run_pending()
    results[9]["n"] = "later"
    bench.connection.resume_writing()
    await run_pending()
    assert bench.answers()[9]["result"] == {"n": "later"}


async def test_too_many_unfinished_requests_pause_the_reading(bench: Bench) -> None:
    bench.send(*(request(n, "work") for n in range(MAX_UNFINISHED + 50)))
    await run_pending()
    assert len(bench.tasks) == MAX_UNFINISHED
    assert bench.transport.turns == [False]
    bench.release(0)
    await run_pending()
    assert len(bench.tasks) == MAX_UNFINISHED
    assert bench.transport.turns == [False]
    for n in range(1, MAX_UNFINISHED):
        bench.release(n)
    await run_pending()
    assert bench.transport.turns == [False, True]
    assert len(bench.answers()) == MAX_UNFINISHED
    for n in range(MAX_UNFINISHED, MAX_UNFINISHED + 50):
        bench.release(n)
    await run_pending()
    assert len(bench.answers()) == 50


async def test_waits_do_not_pause_the_reading_and_one_too_many_is_refused(bench: Bench) -> None:
    bench.send(*(request(n, "wait") for n in range(MAX_WAITS + 1)))
    await run_pending()
    (refused,) = bench.answers()
    assert (refused["id"], kind(refused)) == (MAX_WAITS, "too_many_waits")
    assert refused["error"]["data"] == {
        "kind": "too_many_waits",
        "retryable": True,
        "limit": MAX_WAITS,
    }
    assert bench.transport.turns == []
    bench.ask("x", "now")
    bench.cancel(5)
    await run_pending()
    bench.ask("y", "wait")
    assert ids_and_kinds(bench.answers()) == [("x", "result"), (5, "request_cancelled")]
    assert bench.counters.waits == MAX_WAITS
    for gate in bench.gates.values():
        gate.cancel()
    await run_pending()


async def test_the_end_of_input_is_handled_after_all_messages(bench: Bench) -> None:
    ends: list[int] = []
    bench.shutdown.input_ended = ends.append  # type: ignore[method-assign]
    bench.connection.pause_writing()
    bench.send(request(1, "now"), request(2, "now"))
    bench.connection.eof_received()
    assert ends == []
    bench.connection.resume_writing()
    assert ends == [0]
    assert ids_and_kinds(bench.answers()) == [(1, "result"), (2, "result")]


async def test_stuck_work_does_not_hide_the_end_of_input(bench: Bench) -> None:
    ends: list[int] = []
    bench.shutdown.input_ended = ends.append  # type: ignore[method-assign]
    bench.send(*(request(n, "work") for n in range(MAX_UNFINISHED + 20)))
    bench.connection.eof_received()
    assert ends == [0]
    assert len(bench.tasks) == MAX_UNFINISHED + 20


async def test_after_headers_without_a_length_nothing_more_is_read_or_kept(bench: Bench) -> None:
    ends: list[int] = []
    bench.shutdown.input_ended = ends.append  # type: ignore[method-assign]
    bench.connection.data_received(b"hello\r\n")
    assert ends == [1]
    assert bench.transport.turns == [False]
    bench.connection.data_received(b'Content-Length: 2\r\n\r\n{}{"x":1}')
    bench.connection.eof_received()
    assert ends == [1]
    assert b"".join(bench.transport.unread).count(b"Content-Length") == 1


async def test_nothing_is_kept_after_the_reader_is_gone(bench: Bench) -> None:
    bench.ask(1, "work")
    await run_pending()
    bench.connection.pause_writing()
    bench.connection.connection_lost(None)
    bench.release(1)
    await run_pending()
    assert bench.shutdown.ended.result() == 0
    await asyncio.wait_for(bench.connection.output.drained(), TEST_TIMEOUT)
