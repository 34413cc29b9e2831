"""Back-pressure: a client that sends faster than it reads, or than requests finish."""

from __future__ import annotations

import asyncio
from typing import Any

from flyte_sidecar.rpc.task_runner import MAX_UNFINISHED, MAX_WAITS
from tests.conftest import TEST_TIMEOUT
from tests.rpc.fake_server import FakeServer, ids_and_kinds, kind, request, run_pending


async def test_while_output_is_stuck_no_message_is_read_and_nothing_is_lost(
    server: FakeServer,
) -> None:
    server.request("before", "work")
    await run_pending()
    server.connection.pause_writing()
    taken = server.counters.requests
    server.send(*(request(n, "now") for n in range(500)))
    server.release("before")
    await run_pending()
    assert server.counters.requests == taken
    assert server.transport.turns == [False]
    assert server.answers() == []
    server.connection.resume_writing()
    await run_pending()
    assert server.transport.turns == [False, True]
    assert [answer["id"] for answer in server.answers()] == ["before", *range(500)]


async def test_responses_are_encoded_only_when_there_is_room(server: FakeServer) -> None:
    for n in range(10):
        server.request(n, "work")
    await run_pending()
    server.connection.pause_writing()
    results: list[Any] = [{"n": n} for n in range(10)]
    for n, result in enumerate(results):
        server.release(n, result)
    await run_pending()
    results[9]["n"] = "later"
    server.connection.resume_writing()
    await run_pending()
    assert server.answers()[9]["result"] == {"n": "later"}


async def test_too_many_unfinished_requests_pause_the_reading(server: FakeServer) -> None:
    server.send(*(request(n, "work") for n in range(MAX_UNFINISHED + 50)))
    await run_pending()
    assert len(server.tasks) == MAX_UNFINISHED
    assert server.transport.turns == [False]
    server.release(0)
    await run_pending()
    assert len(server.tasks) == MAX_UNFINISHED
    assert server.transport.turns == [False]
    for n in range(1, MAX_UNFINISHED):
        server.release(n)
    await run_pending()
    assert server.transport.turns == [False, True]
    assert len(server.answers()) == MAX_UNFINISHED
    for n in range(MAX_UNFINISHED, MAX_UNFINISHED + 50):
        server.release(n)
    await run_pending()
    assert len(server.answers()) == 50


async def test_waits_do_not_pause_the_reading_and_one_too_many_is_refused(
    server: FakeServer,
) -> None:
    server.send(*(request(n, "wait") for n in range(MAX_WAITS + 1)))
    await run_pending()
    (refused,) = server.answers()
    assert (refused["id"], kind(refused)) == (MAX_WAITS, "too_many_waits")
    assert refused["error"]["data"] == {
        "kind": "too_many_waits",
        "retryable": True,
        "limit": MAX_WAITS,
    }
    assert server.transport.turns == []
    server.request("x", "now")
    server.cancel(5)
    await run_pending()
    server.request("y", "wait")
    assert ids_and_kinds(server.answers()) == [("x", "result"), (5, "request_cancelled")]
    assert server.counters.waits == MAX_WAITS
    for gate in server.gates.values():
        gate.cancel()
    await run_pending()


async def test_the_end_of_input_is_handled_after_all_messages(server: FakeServer) -> None:
    ends: list[int] = []
    server.shutdown.input_ended = ends.append  # type: ignore[method-assign]
    server.connection.pause_writing()
    server.send(request(1, "now"), request(2, "now"))
    server.connection.eof_received()
    assert ends == []
    server.connection.resume_writing()
    assert ends == [0]
    assert ids_and_kinds(server.answers()) == [(1, "result"), (2, "result")]


async def test_stuck_work_does_not_hide_the_end_of_input(server: FakeServer) -> None:
    ends: list[int] = []
    server.shutdown.input_ended = ends.append  # type: ignore[method-assign]
    server.send(*(request(n, "work") for n in range(MAX_UNFINISHED + 20)))
    server.connection.eof_received()
    assert ends == [0]
    assert len(server.tasks) == MAX_UNFINISHED + 20


async def test_after_headers_without_a_length_nothing_more_is_read_or_kept(
    server: FakeServer,
) -> None:
    ends: list[int] = []
    server.shutdown.input_ended = ends.append  # type: ignore[method-assign]
    server.connection.data_received(b"hello\r\n")
    assert ends == [1]
    assert server.transport.turns == [False]
    server.connection.data_received(b'Content-Length: 2\r\n\r\n{}{"x":1}')
    server.connection.eof_received()
    assert ends == [1]
    assert b"".join(server.transport.unread).count(b"Content-Length") == 1


async def test_nothing_is_kept_after_the_reader_is_gone(server: FakeServer) -> None:
    server.request(1, "work")
    await run_pending()
    server.connection.pause_writing()
    server.connection.connection_lost(None)
    server.release(1)
    await run_pending()
    assert server.shutdown.ended.result() == 0
    await asyncio.wait_for(server.connection.output.drained(), TEST_TIMEOUT)


async def test_reading_pauses_earlier_for_requests_that_count_as_several(
    server: FakeServer,
) -> None:
    server.send(*(request(n, "heavy") for n in range(4)))
    assert len(server.tasks) == 3
    assert server.transport.turns == [False]
    for n in range(3):
        server.release(n)
    await run_pending()
    assert len(server.tasks) == 1
    server.release(3)
    await run_pending()
    assert len(server.answers()) == 4
    assert server.transport.turns == [False, True]
