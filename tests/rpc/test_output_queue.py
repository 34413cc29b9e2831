"""The output queue, and back-pressure for notifications."""

from __future__ import annotations

import asyncio
import json

import pytest

from flyte_sidecar.rpc.memory_transport import MemoryTransport
from flyte_sidecar.rpc.output_queue import FLUSH_BYTES, OutputQueue
from tests.conftest import TEST_TIMEOUT
from tests.rpc.fake_server import FakeServer, ids_and_kinds, request, run_pending


class Writer:
    """A protocol that only writes, through an output queue."""

    def __init__(self) -> None:
        self.output = OutputQueue()

    def connection_made(self, transport: MemoryTransport) -> None:
        self.output.transport = transport

    def pause_writing(self) -> None:
        self.output.full = True

    def resume_writing(self) -> None:
        self.output.resume()


def small(limit: int) -> tuple[OutputQueue, MemoryTransport]:
    """Return a queue whose transport pauses it above a number of unread bytes."""
    writer = Writer()
    transport = MemoryTransport(writer, limit)
    output = writer.output
    return output, transport


async def test_waiting_for_room_returns_at_once_if_there_is_room() -> None:
    output, _ = small(10)
    waiting = output.wait_for_room()
    with pytest.raises(StopIteration):
        waiting.send(None)


async def test_all_waiters_are_woken_when_there_is_room() -> None:
    output, transport = small(0)
    output.put(bytes, b"x")
    output.flush()
    waiting = [asyncio.ensure_future(output.wait_for_room()) for _ in range(3)]
    await run_pending()
    assert not any(one.done() for one in waiting)
    transport.read()
    await asyncio.wait_for(asyncio.gather(*waiting), TEST_TIMEOUT)


async def test_a_cancelled_waiter_does_not_cancel_the_others() -> None:
    output, transport = small(0)
    transport.write(b"x")
    first, second = (asyncio.ensure_future(output.wait_for_room()) for _ in range(2))
    await run_pending()
    first.cancel()
    await run_pending()
    assert first.cancelled()
    assert not second.done()
    third = asyncio.ensure_future(output.wait_for_room())
    await run_pending()
    transport.read()
    await asyncio.wait_for(asyncio.gather(second, third), TEST_TIMEOUT)


async def test_room_that_queued_messages_fill_wakes_no_waiter() -> None:
    output, transport = small(FLUSH_BYTES)
    transport.write(b"x" * (FLUSH_BYTES + 1))
    output.put(bytes, b"a" * (FLUSH_BYTES + 1))
    output.put(bytes, b"b" * (FLUSH_BYTES + 1))
    waiting = asyncio.ensure_future(output.wait_for_room())
    await run_pending()
    transport.read()
    await run_pending()
    assert not waiting.done()
    assert transport.read() == b"a" * (FLUSH_BYTES + 1)
    await run_pending()
    assert not waiting.done()
    assert transport.read() == b"b" * (FLUSH_BYTES + 1)
    await asyncio.wait_for(waiting, TEST_TIMEOUT)


async def test_many_waiters_do_not_write_beyond_the_limit() -> None:
    output, transport = small(FLUSH_BYTES)
    message = b"x" * (FLUSH_BYTES // 4)
    sent = 0

    async def tell() -> None:
        nonlocal sent
        for _ in range(5):
            await output.wait_for_room()
            output.put(bytes, message)
            sent += 1

    telling = asyncio.gather(*(tell() for _ in range(20)))
    read = 0
    while not telling.done():
        await run_pending()
        assert not output._waiting
        assert sum(map(len, transport.unread)) <= FLUSH_BYTES + FLUSH_BYTES + len(message)
        read += len(transport.read())
    output.flush()
    read += len(transport.read())
    assert (sent, read) == (100, 100 * len(message))


async def test_closing_wakes_all_waiters() -> None:
    output, transport = small(0)
    transport.write(b"x")
    waiting = asyncio.ensure_future(output.wait_for_room())
    await run_pending()
    output.close()
    await asyncio.wait_for(waiting, TEST_TIMEOUT)
    output.put(bytes, b"x")
    await run_pending()
    await asyncio.wait_for(output.wait_for_room(), TEST_TIMEOUT)


async def test_notify_sends_a_notification(server: FakeServer) -> None:
    server.connection.notify("events.synced", {"watch": "w", "sequence": 1})
    await run_pending()
    assert server.answers() == [
        {
            "jsonrpc": "2.0",
            "method": "events.synced",
            "params": {"watch": "w", "sequence": 1},
        }
    ]


async def test_notifications_and_responses_keep_their_order(
    server: FakeServer,
) -> None:
    connection = server.connection
    connection.notify("first", {})
    server.request(1, "now")
    connection.notify("second", {})
    server.connection.pause_writing()
    connection.notify("third", {})
    connection.notify("fourth", {})
    server.request(2, "now")
    server.connection.resume_writing()
    await run_pending()
    found = [answer.get("method", answer.get("id")) for answer in server.answers()]
    assert found == ["first", 1, "second", "third", "fourth", 2]


async def test_a_notification_has_the_framing_of_the_client(server: FakeServer) -> None:
    body = json.dumps(request(1, "now")).encode()
    server.connection.data_received(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    server.connection.notify("note", {"a": "é"})
    await run_pending()
    data = b"".join(server.transport.unread)
    notice = '{"jsonrpc":"2.0","method":"note","params":{"a":"é"}}'.encode()
    assert data.endswith(b"Content-Length: %d\r\n\r\n%b" % (len(notice), notice))


async def test_sent_notifications_count_neither_as_requests_nor_as_errors(
    server: FakeServer,
) -> None:
    for _ in range(3):
        server.connection.notify("note", {})
    server.request(1, "now")
    await run_pending()
    assert ids_and_kinds([server.answers()[-1]]) == [(1, "result")]
    assert (server.counters.requests, server.counters.errors) == (1, 0)
