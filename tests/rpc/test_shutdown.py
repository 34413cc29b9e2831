"""The end of a connection."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.rpc.fake_server import FakeServer, ids_and_kinds, kind, run_pending

pytestmark = pytest.mark.usefixtures("short_timeouts")


async def test_the_end_of_input_alone_exits_with_0(server: FakeServer) -> None:
    server.connection.eof_received()
    assert await server.status() == 0


async def test_after_the_end_of_input_requests_are_still_answered(server: FakeServer) -> None:
    server.request(1, "work")
    server.connection.eof_received()
    await run_pending()
    assert not server.shutdown.ended.done()
    server.release(1)
    assert await server.status() == 0
    assert ids_and_kinds(server.answers()) == [(1, "result")]


async def test_after_the_end_of_input_stuck_work_and_waits_end(server: FakeServer) -> None:
    server.request(1, "work")
    server.request(2, "wait")
    server.request(3, "write")
    await run_pending()
    server.connection.eof_received()
    assert await server.status() == 0
    answers = sorted(server.answers(), key=lambda answer: answer["id"])
    assert ids_and_kinds(answers) == [(n, "shutting_down") for n in (1, 2, 3)]
    assert "outcome" not in answers[0]["error"]["data"]
    assert answers[2]["error"]["data"]["outcome"] == "unknown"


async def test_after_the_end_of_input_a_write_has_longer_than_a_read(server: FakeServer) -> None:
    server.request(1, "work")
    server.request(2, "write")
    server.connection.eof_received()
    await asyncio.wait({next(iter(server.tasks))}, timeout=0.15)
    server.release(2)
    assert await server.status() == 0
    assert sorted(ids_and_kinds(server.answers())) == [(1, "shutting_down"), (2, "result")]


async def test_after_the_end_of_input_a_wait_with_a_timeout_continues(
    server: FakeServer,
) -> None:
    server.request(1, "wait", timeoutSeconds=0.6)
    server.request(2, "wait", timeoutSeconds=60)
    server.request(3, "wait")
    server.connection.eof_received()
    answers = await server.wait_for(2)
    assert ids_and_kinds(answers) == [(3, "shutting_down"), (1, "deadline_exceeded")]
    assert not server.shutdown.ended.done()
    server.release(2)
    assert await server.status() == 0
    assert ids_and_kinds(server.answers()) == [(2, "result")]


async def test_unreadable_headers_exit_with_1(server: FakeServer) -> None:
    server.connection.data_received(b"hello\r\n")
    assert await server.status() == 1


async def test_shutdown_answers_null_and_exit_exits_with_0(server: FakeServer) -> None:
    server.request(1, "wait")
    server.request(2, "work")
    server.request(3, "shutdown")
    server.request(4, "now")
    answers = await server.wait_for(4)
    assert ids_and_kinds(answers)[0] == (4, "invalid_request")
    assert sorted(ids_and_kinds(answers)[1:3]) == [(1, "shutting_down"), (2, "shutting_down")]
    assert answers[3] == {"jsonrpc": "2.0", "id": 3, "result": None}
    server.request(5, "shutdown")
    assert kind(server.answers()[0]) == "invalid_request"
    assert not server.shutdown.ended.done()
    server.exit()
    assert await server.status() == 0


async def test_shutdown_lets_requests_finish(server: FakeServer) -> None:
    server.request(1, "work")
    server.request(2, "shutdown")
    await run_pending()
    server.release(1)
    assert ids_and_kinds(await server.wait_for(2)) == [(1, "result"), (2, "result")]


async def test_exit_right_after_shutdown_waits_for_the_response(server: FakeServer) -> None:
    server.request(1, "work")
    server.request(2, "shutdown")
    server.exit()
    server.connection.eof_received()
    assert await server.status() == 0
    assert ids_and_kinds(server.answers()) == [(1, "shutting_down"), (2, "result")]


async def test_exit_without_shutdown_exits_with_1(server: FakeServer) -> None:
    server.request(1, "work")
    server.exit()
    assert await server.status() == 1
    assert ids_and_kinds(server.answers()) == [(1, "shutting_down")]


async def test_the_end_of_input_after_shutdown_exits_with_0(server: FakeServer) -> None:
    server.request(1, "shutdown")
    await server.wait_for(1)
    server.connection.eof_received()
    assert await server.status() == 0


@pytest.mark.posix
async def test_a_signal_acts_like_shutdown_and_exit(server: FakeServer) -> None:
    server.request(1, "wait", timeoutSeconds=60)
    server.request(2, "work")
    server.shutdown.terminate()
    server.shutdown.terminate()
    assert await server.status() == 0
    assert sorted(ids_and_kinds(server.answers())) == [(1, "shutting_down"), (2, "shutting_down")]


@pytest.mark.posix
async def test_a_signal_ends_the_waits_that_continued_after_the_end_of_input(
    server: FakeServer,
) -> None:
    server.request(1, "wait", timeoutSeconds=60)
    server.connection.eof_received()
    await run_pending()
    server.shutdown.terminate()
    assert await server.status() == 0
    assert ids_and_kinds(server.answers()) == [(1, "shutting_down")]


async def test_the_connection_ends_at_once_when_the_reader_is_gone(server: FakeServer) -> None:
    server.request(1, "write")
    await run_pending()
    server.connection.connection_lost(None)
    assert server.shutdown.ended.result() == 0


@pytest.mark.posix
async def test_a_result_decided_at_the_last_moment_is_reported(server: FakeServer) -> None:
    server.request(1, "future")
    await run_pending()
    server.shutdown.terminate()
    server.release(1, "late")
    assert await server.status() == 0
    assert ids_and_kinds(server.answers()) == [(1, "result")]


@pytest.mark.parametrize("method", ["shutdown", "exit"])
async def test_shutdown_and_exit_have_no_effect_in_a_batch(server: FakeServer, method: str) -> None:
    server.send([{"jsonrpc": "2.0", "method": method}])
    server.send([{"jsonrpc": "2.0", "id": 1, "method": method}])
    (array,) = server.answers()
    assert ids_and_kinds(array) == [(1, "invalid_request")]
    server.request(2, "now")
    assert ids_and_kinds(server.answers()) == [(2, "result")]
    await run_pending()
    assert not server.shutdown.ended.done()


async def test_a_notification_that_the_end_interrupts_is_no_failure(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.send({"jsonrpc": "2.0", "method": "work"})
    server.connection.eof_received()
    with caplog.at_level(logging.WARNING):
        assert await server.status() == 0
    assert caplog.messages == []
