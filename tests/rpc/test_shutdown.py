"""The end of a connection, however it comes."""

from __future__ import annotations

import asyncio

import pytest

from tests.rpc.bench import Bench, kind, settled, told

pytestmark = pytest.mark.usefixtures("impatient")


async def test_the_end_of_input_alone_exits_with_0(bench: Bench) -> None:
    bench.connection.eof_received()
    assert await bench.status() == 0


async def test_after_the_end_of_input_requests_are_still_answered(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.connection.eof_received()
    await settled()
    assert not bench.shutdown.ended.done()
    bench.release(1)
    assert await bench.status() == 0
    assert told(bench.answers()) == [(1, "result")]


async def test_after_the_end_of_input_stuck_work_and_waits_end(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "wait")
    bench.ask(3, "write")
    await settled()
    bench.connection.eof_received()
    assert await bench.status() == 0
    answers = sorted(bench.answers(), key=lambda answer: answer["id"])
    assert told(answers) == [(n, "shutting_down") for n in (1, 2, 3)]
    assert "outcome" not in answers[0]["error"]["data"]
    assert answers[2]["error"]["data"]["outcome"] == "unknown"


async def test_after_the_end_of_input_a_write_has_longer_than_a_read(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "write")
    bench.connection.eof_received()
    await asyncio.wait({next(iter(bench.tasks))}, timeout=0.15)
    bench.release(2)
    assert await bench.status() == 0
    assert sorted(told(bench.answers())) == [(1, "shutting_down"), (2, "result")]


async def test_after_the_end_of_input_a_wait_with_a_timeout_is_given_its_time(
    bench: Bench,
) -> None:
    bench.ask(1, "wait", timeoutSeconds=0.6)
    bench.ask(2, "wait", timeoutSeconds=60)
    bench.ask(3, "wait")
    bench.connection.eof_received()
    answers = await bench.soon(2)
    assert told(answers) == [(3, "shutting_down"), (1, "deadline_exceeded")]
    assert not bench.shutdown.ended.done()
    bench.release(2)
    assert await bench.status() == 0
    assert told(bench.answers()) == [(2, "result")]


async def test_an_unreadable_head_exits_with_1(bench: Bench) -> None:
    bench.connection.data_received(b"hello\r\n")
    assert await bench.status() == 1


async def test_shutdown_answers_null_and_exit_exits_with_0(bench: Bench) -> None:
    bench.ask(1, "wait")
    bench.ask(2, "work")
    bench.ask(3, "shutdown")
    bench.ask(4, "now")
    answers = await bench.soon(4)
    assert told(answers)[0] == (4, "invalid_request")
    assert sorted(told(answers)[1:3]) == [(1, "shutting_down"), (2, "shutting_down")]
    assert answers[3] == {"jsonrpc": "2.0", "id": 3, "result": None}
    bench.ask(5, "shutdown")
    assert kind(bench.answers()[0]) == "invalid_request"
    assert not bench.shutdown.ended.done()
    bench.exit()
    assert await bench.status() == 0


async def test_shutdown_lets_work_finish(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "shutdown")
    await settled()
    bench.release(1)
    assert told(await bench.soon(2)) == [(1, "result"), (2, "result")]


async def test_exit_right_behind_shutdown_waits_for_the_answer(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "shutdown")
    bench.exit()
    bench.connection.eof_received()
    assert await bench.status() == 0
    assert told(bench.answers()) == [(1, "shutting_down"), (2, "result")]


async def test_exit_without_shutdown_exits_with_1(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.exit()
    assert await bench.status() == 1
    assert told(bench.answers()) == [(1, "shutting_down")]


async def test_the_end_of_input_after_shutdown_exits_with_0(bench: Bench) -> None:
    bench.ask(1, "shutdown")
    await bench.soon(1)
    bench.connection.eof_received()
    assert await bench.status() == 0


async def test_a_signal_does_as_shutdown_and_exit(bench: Bench) -> None:
    bench.ask(1, "wait", timeoutSeconds=60)
    bench.ask(2, "work")
    bench.shutdown.terminate()
    bench.shutdown.terminate()
    assert await bench.status() == 0
    assert sorted(told(bench.answers())) == [(1, "shutting_down"), (2, "shutting_down")]


async def test_a_signal_ends_the_waits_that_the_end_of_input_had_kept(bench: Bench) -> None:
    bench.ask(1, "wait", timeoutSeconds=60)
    bench.connection.eof_received()
    await settled()
    bench.shutdown.terminate()
    assert await bench.status() == 0
    assert told(bench.answers()) == [(1, "shutting_down")]


async def test_when_nobody_reads_the_end_comes_at_once(bench: Bench) -> None:
    bench.ask(1, "write")
    await settled()
    bench.connection.connection_lost(None)
    assert bench.shutdown.ended.result() == 0


async def test_what_was_decided_in_the_last_moment_is_told(bench: Bench) -> None:
    bench.ask(1, "future")
    await settled()
    bench.shutdown.terminate()
    bench.release(1, "late")
    assert await bench.status() == 0
    assert told(bench.answers()) == [(1, "result")]


@pytest.mark.parametrize("method", ["shutdown", "exit"])
async def test_in_a_batch_nothing_ends(bench: Bench, method: str) -> None:
    bench.send([{"jsonrpc": "2.0", "method": method}])
    bench.send([{"jsonrpc": "2.0", "id": 1, "method": method}])
    (array,) = bench.answers()
    assert told(array) == [(1, "invalid_request")]
    bench.ask(2, "now")
    assert told(bench.answers()) == [(2, "result")]
    await settled()
    assert not bench.shutdown.ended.done()
