"""Responses that are invalid, too large, or compressed without a request for it."""

from __future__ import annotations

import asyncio
import logging
from itertools import chain, repeat

import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.rpc import retry
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import BackendError, UnsupportedByBackend
from flyte_sidecar.events.model import Event
from tests.backends.flyte.scenarios import ask, until
from tests.backends.flyte.test_connection import backend_at
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FAST, FlyteHarness
from tests.contract.harness import RUN, BackendClient
from tests.fake_runservice.hostile import compressed, executed, respond, served, status

GARBAGE = [
    pytest.param(respond(b"\x1f\x8b\x08" + bytes(20)), id="compressed"),
    pytest.param(respond(b"\xff" * 100), id="random"),
    pytest.param(respond(b"\x0a\x05cut"), id="cut"),
    pytest.param(respond(bytes.fromhex("0a060a041202ffff")), id="no UTF-8"),
    pytest.param(respond(), id="none"),
]
garbage = pytest.mark.parametrize("response", GARBAGE)


@pytest.fixture
def timing() -> Timing:
    return replace(FAST, retry_delay=0.0)


async def test_only_the_identity_encoding_is_accepted() -> None:
    """Read from the socket: grpc removes this header in its own servers."""
    received = bytearray()
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("000000040000000000"))  # HTTP/2's settings, none
        while data := await reader.read(1 << 16):
            received.extend(data)
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as listening:
        backend = backend_at(f"127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        checking = asyncio.ensure_future(backend.check())
        await until(lambda: b"user-agent" in received)
        checking.cancel()
        await asyncio.wait({checking})
        await backend.close()
        await gone.wait()
    assert b"\x14grpc-accept-encoding\x08identity" in received
    assert b"gzip" not in received


@garbage
async def test_a_read_whose_response_cannot_be_decoded_is_retried(
    client: BackendClient, flyte: FlyteHarness, response: object
) -> None:
    ask(flyte)
    for method in ("ListActions", "GetActionDetails"):
        flyte.server.hostile.script(method, [response] * (retry.ATTEMPTS - 1))
    assert await client.get("q") is not None


@garbage
async def test_a_read_that_can_never_be_decoded_is_an_error_of_the_backend(
    client: BackendClient, flyte: FlyteHarness, response: object, caplog: pytest.LogCaptureFixture
) -> None:
    ask(flyte)
    flyte.server.hostile.script("GetActionDetails", repeat(response))
    with pytest.raises(BackendError, match="the response to GetActionDetails") as failed:
        await client.get("q")
    assert failed.value.retryable
    assert failed.value.data["grpcStatus"] == "INTERNAL"
    assert flyte.server.hostile.calls["GetActionDetails"] == retry.ATTEMPTS
    assert caplog.records
    for record in caplog.records:
        assert record.levelno == logging.WARNING
        assert "\n" not in logging.Formatter().format(record)


@garbage
async def test_a_write_whose_response_cannot_be_decoded_is_checked_by_a_read(
    client: BackendClient, flyte: FlyteHarness, response: object
) -> None:
    for name in ("signalled", "aborted"):
        ask(flyte, name)
    for method in ("SignalEvent", "AbortAction"):
        flyte.server.hostile.script(method, [executed(response)])
    assert (await client.signal("signalled", True)).payload is True
    assert (await client.abort("aborted", "why")).abort_reason == "why"


@garbage
async def test_a_wait_continues_after_streams_that_cannot_be_decoded(
    client: BackendClient, flyte: FlyteHarness, response: object
) -> None:
    ask(flyte)
    flyte.server.hostile.script("WatchActions", [response] * 2)
    waiting = asyncio.ensure_future(client.wait("q"))
    await until(lambda: flyte.server.hostile.calls["WatchActions"] == 2)
    await BackendClient(flyte).signal("q", True)
    async with asyncio.timeout(TEST_TIMEOUT):
        ended: Event = await waiting
    assert ended.payload is True


@pytest.mark.parametrize("size", [100, 1 << 26])
async def test_a_compressed_response_is_rejected_without_decompression(
    client: BackendClient, flyte: FlyteHarness, size: int
) -> None:
    ask(flyte)
    response = compressed(respond(bytes(size)))
    flyte.server.hostile.script("ListActions", repeat(response))
    with pytest.raises((BackendError, UnsupportedByBackend), match="gzip"):  # by grpcio release
        await client.get("q")


async def test_a_response_that_is_too_large_is_rejected(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.hostile.script("ListActions", repeat(respond(bytes(1 << 26))))
    with pytest.raises(BackendError, match="larger than max") as failed:
        await client.get("q")
    assert not failed.value.retryable


DATABASE_LOST = status("INTERNAL", "terminating connection (SQLSTATE 57P01)")
UNREAD = status("NOT_FOUND", "action not found: failed to get action: unexpected EOF")


@pytest.mark.parametrize("lost", [DATABASE_LOST, UNREAD], ids=["INTERNAL", "NOT_FOUND"])
async def test_a_read_is_retried_while_the_backend_has_no_database(
    client: BackendClient, flyte: FlyteHarness, lost: object
) -> None:
    action = ask(flyte)
    flyte.server.hostile.script("ListActions", [DATABASE_LOST] * (retry.ATTEMPTS - 1))
    flyte.server.hostile.script("GetActionDetails", [lost] * (retry.ATTEMPTS - 1))
    assert await client.get("q") is not None
    flyte.server.hostile.script("GetActionDetails", repeat(lost))
    for target in ({"name": "q"}, {"action_name": action}):
        with pytest.raises(BackendError) as failed:
            await client.get(**target)
        assert failed.value.retryable


async def test_an_event_still_exists_if_the_backend_has_no_database(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    flyte.server.hostile.script("GetActionDetails", chain([served()], repeat(UNREAD)))
    waiting = asyncio.ensure_future(client.wait("q"))
    await until(lambda: flyte.server.hostile.calls["GetActionDetails"] > 1 + retry.ATTEMPTS)
    for write in (client.signal(None, True, action_name=action), client.abort(action_name=action)):
        with pytest.raises(BackendError):
            await write
    assert not waiting.done()
    flyte.server.model.signal_directly(RUN.name, action, True)
    flyte.server.hostile.clear()
    async with asyncio.timeout(TEST_TIMEOUT):
        assert (await waiting).payload is True


async def test_a_write_without_a_database_is_retryable_and_not_retried(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    flyte.server.hostile.script("SignalEvent", [DATABASE_LOST])
    with pytest.raises(BackendError) as failed:
        await client.signal("q", True)
    assert failed.value.retryable
    assert flyte.server.calls["SignalEvent"] == 0
    assert (await client.signal("q", True)).action_name == action
