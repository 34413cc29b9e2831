"""The end of a connection."""

from __future__ import annotations

import asyncio

import pytest

from tests.rpc.bench import Bench, ids_and_kinds, kind, run_pending

pytestmark = pytest.mark.usefixtures("short_timeouts")


async def test_the_end_of_input_alone_exits_with_0(bench: Bench) -> None:
    bench.connection.eof_received()
    assert await bench.status() == 0


async def test_after_the_end_of_input_requests_are_still_answered(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.connection.eof_received()
    await run_pending()
    assert not bench.shutdown.ended.done()
    bench.release(1)
    assert await bench.status() == 0
    assert ids_and_kinds(bench.answers()) == [(1, "result")]


async def test_after_the_end_of_input_stuck_work_and_waits_end(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "wait")
    bench.ask(3, "write")
    await run_pending()
    bench.connection.eof_received()
    assert await bench.status() == 0
    answers = sorted(bench.answers(), key=lambda answer: answer["id"])
    assert ids_and_kinds(answers) == [(n, "shutting_down") for n in (1, 2, 3)]
    assert "outcome" not in answers[0]["error"]["data"]
    assert answers[2]["error"]["data"]["outcome"] == "unknown"


async def test_after_the_end_of_input_a_write_has_longer_than_a_read(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "write")
    bench.connection.eof_received()
    await asyncio.wait({next(iter(bench.tasks))}, timeout=0.15)
    bench.release(2)
    assert await bench.status() == 0
    assert sorted(ids_and_kinds(bench.answers())) == [(1, "shutting_down"), (2, "result")]


async def test_after_the_end_of_input_a_wait_with_a_timeout_continues(
    bench: Bench,
) -> None:
    bench.ask(1, "wait", timeoutSeconds=0.6)
    bench.ask(2, "wait", timeoutSeconds=60)
    bench.ask(3, "wait")
    bench.connection.eof_received()
    answers = await bench.wait_for(2)
    assert ids_and_kinds(answers) == [(3, "shutting_down"), (1, "deadline_exceeded")]
    assert not bench.shutdown.ended.done()
    bench.release(2)
    assert await bench.status() == 0
    assert ids_and_kinds(bench.answers()) == [(2, "result")]


async def test_unreadable_headers_exit_with_1(bench: Bench) -> None:
    bench.connection.data_received(b"hello\r\n")
    assert await bench.status() == 1


async def test_shutdown_answers_null_and_exit_exits_with_0(bench: Bench) -> None:
    bench.ask(1, "wait")
    bench.ask(2, "work")
    bench.ask(3, "shutdown")
    bench.ask(4, "now")
    answers = await bench.wait_for(4)
    assert ids_and_kinds(answers)[0] == (4, "invalid_request")
    assert sorted(ids_and_kinds(answers)[1:3]) == [(1, "shutting_down"), (2, "shutting_down")]
    assert answers[3] == {"jsonrpc": "2.0", "id": 3, "result": None}
    bench.ask(5, "shutdown")
    assert kind(bench.answers()[0]) == "invalid_request"
    assert not bench.shutdown.ended.done()
    bench.exit()
    assert await bench.status() == 0


async def test_shutdown_lets_requests_finish(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "shutdown")
    await run_pending()
    bench.release(1)
    assert ids_and_kinds(await bench.wait_for(2)) == [(1, "result"), (2, "result")]


async def test_exit_right_after_shutdown_waits_for_the_response(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask(2, "shutdown")
    bench.exit()
    bench.connection.eof_received()
    assert await bench.status() == 0
    assert ids_and_kinds(bench.answers()) == [(1, "shutting_down"), (2, "result")]


async def test_exit_without_shutdown_exits_with_1(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.exit()
    assert await bench.status() == 1
    assert ids_and_kinds(bench.answers()) == [(1, "shutting_down")]


async def test_the_end_of_input_after_shutdown_exits_with_0(bench: Bench) -> None:
    bench.ask(1, "shutdown")
    await bench.wait_for(1)
    bench.connection.eof_received()
    assert await bench.status() == 0


async def test_a_signal_acts_like_shutdown_and_exit(bench: Bench) -> None:
    bench.ask(1, "wait", timeoutSeconds=60)
    bench.ask(2, "work")
    bench.shutdown.terminate()
    bench.shutdown.terminate()
    assert await bench.status() == 0
    assert sorted(ids_and_kinds(bench.answers())) == [(1, "shutting_down"), (2, "shutting_down")]


async def test_a_signal_ends_the_waits_that_continued_after_the_end_of_input(bench: Bench) -> None:
    bench.ask(1, "wait", timeoutSeconds=60)
    bench.connection.eof_received()
    await run_pending()
    bench.shutdown.terminate()
    assert await bench.status() == 0
    assert ids_and_kinds(bench.answers()) == [(1, "shutting_down")]


async def test_the_connection_ends_at_once_when_the_reader_is_gone(bench: Bench) -> None:
    bench.ask(1, "write")
    await run_pending()
    bench.connection.connection_lost(None)
    assert bench.shutdown.ended.result() == 0


async def test_a_result_decided_at_the_last_moment_is_reported(bench: Bench) -> None:
    bench.ask(1, "future")
    await run_pending()
    bench.shutdown.terminate()
    bench.release(1, "late")
    assert await bench.status() == 0
    assert ids_and_kinds(bench.answers()) == [(1, "result")]


@pytest.mark.parametrize("method", ["shutdown", "exit"])
async def test_shutdown_and_exit_have_no_effect_in_a_batch(bench: Bench, method: str) -> None:
    bench.send([{"jsonrpc": "2.0", "method": method}])
    bench.send([{"jsonrpc": "2.0", "id": 1, "method": method}])
    (array,) = bench.answers()
    assert ids_and_kinds(array) == [(1, "invalid_request")]
    bench.ask(2, "now")
    assert ids_and_kinds(bench.answers()) == [(2, "result")]
    await run_pending()
    assert not bench.shutdown.ended.done()
