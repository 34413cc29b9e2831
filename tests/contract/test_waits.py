"""Waiting for the end of an event."""

from __future__ import annotations

import asyncio

import pytest

from flyte_sidecar.events.model import ABORTED, SUCCEEDED, TIMED_OUT
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import BackendClient, settle


async def test_a_resolved_event_ends_a_wait_at_once(client: BackendClient) -> None:
    await client.make("q", "int")
    reported = await client.signal("q", 5)
    assert await client.wait("q") == reported
    await client.make("gone")
    aborted = await client.abort("gone", "why")
    assert await client.wait("gone") == aborted


async def test_a_wait_ends_when_the_event_is_answered(client: BackendClient) -> None:
    await client.make("q", "int")
    waiting = asyncio.ensure_future(client.wait("q"))
    await settle(20)
    assert not waiting.done()
    reported = await client.signal("q", 5)
    assert (await waiting) == reported
    assert reported.phase == SUCCEEDED


async def test_a_wait_ends_when_another_client_answers(client: BackendClient) -> None:
    other = BackendClient(client.harness)
    await client.make("q")
    waiting = asyncio.ensure_future(client.wait("q"))
    await settle(20)
    assert await other.signal("q", False) == await waiting


async def test_a_wait_ends_when_the_event_is_aborted(client: BackendClient) -> None:
    await client.make("q")
    waiting = asyncio.ensure_future(client.wait("q"))
    await settle(20)
    reported = await client.abort("q", "why")
    assert (await waiting) == reported
    assert (reported.phase, reported.abort_reason) == (ABORTED, "why")


async def test_a_wait_ends_when_the_event_expires(client: BackendClient) -> None:
    event = await client.make("q", expires_in=60)
    waiting = asyncio.ensure_future(client.wait("q"))
    await settle(20)
    client.harness.pass_time(61)
    reported = await asyncio.wait_for(waiting, TEST_TIMEOUT)
    assert (reported.phase, reported.ended_at) == (TIMED_OUT, event.expires_at)


async def test_a_wait_ends_at_an_expiry_of_an_event_made_while_it_waits_for_another(
    client: BackendClient,
) -> None:
    await client.make("long")
    long = asyncio.ensure_future(client.wait("long"))
    await settle(20)
    await client.make("q", expires_in=60)
    waiting = asyncio.ensure_future(client.wait("q"))
    await settle(20)
    client.harness.pass_time(61)
    assert (await asyncio.wait_for(waiting, TEST_TIMEOUT)).phase == TIMED_OUT
    assert not long.done()
    await client.signal("long", True)
    assert (await long).phase == SUCCEEDED


async def test_a_cancelled_wait_ends_and_the_others_stay_open(client: BackendClient) -> None:
    await client.make("q")
    waits = [asyncio.ensure_future(client.wait("q")) for _ in range(3)]
    await settle(20)
    waits[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits[0]
    reported = await client.signal("q", True)
    assert await asyncio.gather(*waits[1:]) == [reported, reported]


async def test_an_answer_that_arrives_with_the_cancellation_is_reported(
    client: BackendClient,
) -> None:
    # Cancelled in the same turn of the loop in which the answer arrived.
    await client.make("q")
    event = await client.get("q")
    assert event is not None
    backend = client.harness.backend()
    waiting = asyncio.ensure_future(backend.resolved(event))
    await settle(20)
    reported = await client.signal("q", True)
    waiting.cancel()
    try:
        assert await waiting == reported
    except asyncio.CancelledError:
        pytest.fail("the answer is lost")


async def test_a_thousand_waits_end_together(client: BackendClient) -> None:
    for number in range(10):
        await client.make(f"q{number}")
    waits = [asyncio.ensure_future(client.wait(f"q{number % 10}")) for number in range(1000)]
    await settle(20)
    reported = [await client.signal(f"q{number}", True) for number in range(10)]
    assert await asyncio.gather(*waits) == reported * 100


async def test_a_wait_sees_the_writes_that_were_sent_before_it(client: BackendClient) -> None:
    event = await client.make("q")
    signalling = asyncio.ensure_future(client.signal("q", True))
    await asyncio.sleep(0)
    assert (await client.wait("q")).action_name == event.action_name
    assert signalling.done()


async def test_a_wait_delays_no_write(client: BackendClient) -> None:
    await client.make("q")
    waiting = asyncio.ensure_future(client.wait("q"))
    await settle(20)
    await client.make("other")
    await client.signal("other", True)
    assert not waiting.done()
    await client.signal("q", True)
    await waiting
