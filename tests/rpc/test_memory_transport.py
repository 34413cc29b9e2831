"""The transport within a process."""

from __future__ import annotations

import asyncio

from flyte_sidecar.rpc.memory_transport import MemoryTransport
from tests.conftest import TEST_TIMEOUT


class Writer:
    """A protocol that only writes."""

    def __init__(self) -> None:
        self.paused = False

    def connection_made(self, transport: MemoryTransport) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False


async def test_what_is_written_can_be_read_once() -> None:
    transport = MemoryTransport(Writer())
    readable = asyncio.ensure_future(transport.wait_readable())
    await asyncio.sleep(0)
    assert not readable.done()
    transport.write(b"a")
    transport.write(b"b")
    await asyncio.wait_for(readable, TEST_TIMEOUT)
    assert (transport.read(), transport.read()) == (b"ab", b"")


async def test_a_protocol_pauses_while_too_much_is_unread() -> None:
    writer = Writer()
    transport = MemoryTransport(writer, max_unread=4)
    transport.write(b"1234")
    assert not writer.paused
    await asyncio.wait_for(transport.drained(), TEST_TIMEOUT)
    transport.write(b"5")
    assert writer.paused
    drained = asyncio.ensure_future(transport.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    transport.read()
    assert not writer.paused
    await asyncio.wait_for(drained, TEST_TIMEOUT)


async def test_a_transport_that_discards_keeps_nothing() -> None:
    writer = Writer()
    transport = MemoryTransport(writer, max_unread=4)
    transport.write(b"12345")
    transport.discard()
    transport.write(b"12345")
    assert not writer.paused
    assert transport.read() == b""
