"""Room in the output, and the notifications that wait for it."""

from __future__ import annotations

import asyncio
import json

import pytest

from flyte_sidecar.rpc.output_queue import FLUSH_BYTES, OutputQueue
from flyte_sidecar.rpc.requests import Notice
from tests.conftest import TEST_TIMEOUT
from tests.rpc.bench import Bench, FakeTransport, request, settled, told


class Small(FakeTransport):
    """A transport that has room for so many bytes, and tells of it as asyncio's do."""

    def __init__(self, output: OutputQueue[bytes], limit: int) -> None:
        super().__init__()
        self.output = output
        self.limit = limit

    def write(self, data: bytes) -> None:
        super().write(data)
        if sum(map(len, self.written)) > self.limit:
            self.output.full = True

    def read(self) -> bytes:
        """Read everything that was written."""
        data = b"".join(self.written)
        self.written.clear()
        self.output.resume()
        return data


def small(limit: int) -> tuple[OutputQueue[bytes], Small]:
    output: OutputQueue[bytes] = OutputQueue(lambda message: message)
    output.transport = transport = Small(output, limit)
    return output, transport


async def test_where_there_is_room_nobody_waits_for_it() -> None:
    output, _ = small(10)
    waiting = output.wait_for_room()
    with pytest.raises(StopIteration):
        waiting.send(None)


async def test_all_who_wait_for_room_hear_of_it() -> None:
    output, transport = small(0)
    output.put(b"x")
    output.flush()
    waiting = [asyncio.ensure_future(output.wait_for_room()) for _ in range(3)]
    await settled()
    assert not any(one.done() for one in waiting)
    transport.read()
    await asyncio.wait_for(asyncio.gather(*waiting), TEST_TIMEOUT)


async def test_who_stops_waiting_for_room_leaves_the_others_waiting() -> None:
    output, transport = small(0)
    output.full = True
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
    output.full = True
    output.put(b"a" * (FLUSH_BYTES + 1))
    output.put(b"b" * (FLUSH_BYTES + 1))
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
            output.put(message)
            sent += 1

    telling = asyncio.gather(*(tell() for _ in range(20)))
    read = 0
    while not telling.done():
        await settled()
        assert not output._waiting
        assert sum(map(len, transport.written)) <= transport.limit + FLUSH_BYTES + len(message)
        read += len(transport.read())
    output.flush()
    read += len(transport.read())
    assert (sent, read) == (100, 100 * len(message))


async def test_once_nobody_reads_nobody_waits_for_room() -> None:
    output, _ = small(0)
    output.full = True
    waiting = asyncio.ensure_future(output.wait_for_room())
    await settled()
    output.close()
    await asyncio.wait_for(waiting, TEST_TIMEOUT)
    output.put(b"x")
    await settled()
    await asyncio.wait_for(output.wait_for_room(), TEST_TIMEOUT)


async def test_a_notice_is_a_notification(bench: Bench) -> None:
    bench.connection.output.put(Notice("events.synced", {"watch": "w", "sequence": 1}))
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
    output = bench.connection.output
    output.put(Notice("first", {}))
    bench.ask(1, "now")
    output.put(Notice("second", {}))
    bench.connection.pause_writing()
    output.put(Notice("third", {}))
    output.put(Notice("fourth", {}))
    bench.ask(2, "now")
    bench.connection.resume_writing()
    await settled()
    found = [answer.get("method", answer.get("id")) for answer in bench.answers()]
    assert found == ["first", 1, "second", "third", "fourth", 2]


async def test_a_notice_has_the_framing_that_the_client_chose(bench: Bench) -> None:
    body = json.dumps(request(1, "now")).encode()
    bench.connection.data_received(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    bench.connection.output.put(Notice("note", {"a": "é"}))
    await settled()
    data = b"".join(bench.transport.written)
    notice = '{"jsonrpc":"2.0","method":"note","params":{"a":"é"}}'.encode()
    assert data.endswith(b"Content-Length: %d\r\n\r\n%b" % (len(notice), notice))


async def test_notices_count_as_neither_requests_nor_errors(bench: Bench) -> None:
    for _ in range(3):
        bench.connection.output.put(Notice("note", {}))
    bench.ask(1, "now")
    await settled()
    assert told([bench.answers()[-1]]) == [(1, "result")]
    assert (bench.connection.requests, bench.connection.errors) == (1, 0)
