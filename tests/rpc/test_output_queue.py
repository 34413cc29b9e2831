"""Room in the output, and the notifications that wait for it."""

from __future__ import annotations

import asyncio
import json

import pytest

from flyte_sidecar.rpc.memory_transport import MemoryTransport
from flyte_sidecar.rpc.output_queue import FLUSH_BYTES, OutputQueue
from tests.conftest import TEST_TIMEOUT
from tests.rpc.bench import Bench, request, settled, told


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
    """Return a queue whose transport takes so many bytes before they are read."""
    writer = Writer()
    transport = MemoryTransport(writer, limit)
    output = writer.output
    return output, transport


async def test_where_there_is_room_nobody_waits_for_it() -> None:
    output, _ = small(10)
    waiting = output.wait_for_room()
    with pytest.raises(StopIteration):
        waiting.send(None)


async def test_all_who_wait_for_room_hear_of_it() -> None:
    output, transport = small(0)
    output.put(bytes, b"x")
    output.flush()
    waiting = [asyncio.ensure_future(output.wait_for_room()) for _ in range(3)]
    await settled()
    assert not any(one.done() for one in waiting)
    transport.read()
    await asyncio.wait_for(asyncio.gather(*waiting), TEST_TIMEOUT)


async def test_who_stops_waiting_for_room_leaves_the_others_waiting() -> None:
    output, transport = small(0)
    transport.write(b"x")
    first, second = (asyncio.ensure_future(output.wait_for_room()) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    assert first.cancelled()
    assert not second.done()
    third = asyncio.ensure_future(output.wait_for_room())
    await settled()
    transport.read()
    await asyncio.wait_for(asyncio.gather(second, third), TEST_TIMEOUT)


async def test_room_that_waiting_answers_take_up_is_none() -> None:
    output, transport = small(FLUSH_BYTES)
    transport.write(b"x" * (FLUSH_BYTES + 1))
    output.put(bytes, b"a" * (FLUSH_BYTES + 1))
    output.put(bytes, b"b" * (FLUSH_BYTES + 1))
    waiting = asyncio.ensure_future(output.wait_for_room())
    await settled()
    transport.read()
    await settled()
    assert not waiting.done()
    assert transport.read() == b"a" * (FLUSH_BYTES + 1)
    await settled()
    assert not waiting.done()
    assert transport.read() == b"b" * (FLUSH_BYTES + 1)
    await asyncio.wait_for(waiting, TEST_TIMEOUT)


async def test_of_many_who_wait_for_room_none_writes_beyond_it() -> None:
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
        await settled()
        assert not output._waiting
        assert sum(map(len, transport.unread)) <= FLUSH_BYTES + FLUSH_BYTES + len(message)
        read += len(transport.read())
    output.flush()
    read += len(transport.read())
    assert (sent, read) == (100, 100 * len(message))


async def test_once_nobody_reads_nobody_waits_for_room() -> None:
    output, transport = small(0)
    transport.write(b"x")
    waiting = asyncio.ensure_future(output.wait_for_room())
    await settled()
    output.close()
    await asyncio.wait_for(waiting, TEST_TIMEOUT)
    output.put(bytes, b"x")
    await settled()
    await asyncio.wait_for(output.wait_for_room(), TEST_TIMEOUT)


async def test_a_notice_is_a_notification(bench: Bench) -> None:
    bench.connection.notify("events.synced", {"watch": "w", "sequence": 1})
    await settled()
    assert bench.answers() == [
        {
            "jsonrpc": "2.0",
            "method": "events.synced",
            "params": {"watch": "w", "sequence": 1},
        }
    ]


async def test_a_notice_stands_among_the_answers_in_the_order_of_their_sending(
    bench: Bench,
) -> None:
    connection = bench.connection
    connection.notify("first", {})
    bench.ask(1, "now")
    connection.notify("second", {})
    bench.connection.pause_writing()
    connection.notify("third", {})
    connection.notify("fourth", {})
    bench.ask(2, "now")
    bench.connection.resume_writing()
    await settled()
    found = [answer.get("method", answer.get("id")) for answer in bench.answers()]
    assert found == ["first", 1, "second", "third", "fourth", 2]


async def test_a_notice_has_the_framing_that_the_client_chose(bench: Bench) -> None:
    body = json.dumps(request(1, "now")).encode()
    bench.connection.data_received(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    bench.connection.notify("note", {"a": "é"})
    await settled()
    data = b"".join(bench.transport.unread)
    notice = '{"jsonrpc":"2.0","method":"note","params":{"a":"é"}}'.encode()
    assert data.endswith(b"Content-Length: %d\r\n\r\n%b" % (len(notice), notice))


async def test_notices_count_as_neither_requests_nor_errors(bench: Bench) -> None:
    for _ in range(3):
        bench.connection.notify("note", {})
    bench.ask(1, "now")
    await settled()
    assert told([bench.answers()[-1]]) == [(1, "result")]
    assert (bench.counters.requests, bench.counters.errors) == (1, 0)
