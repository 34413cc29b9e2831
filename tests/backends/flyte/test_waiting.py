"""Waits: through broken streams, lost changes and a backend that goes away and comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import grpc
import pytest

from flyte_sidecar.backends.flyte.watch import stream
from flyte_sidecar.errors import (
    BackendUnavailable,
    EventNotFound,
    PermissionDenied,
    ShuttingDown,
    UnsupportedByBackend,
)
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, TIMED_OUT, Event
from tests.backends.flyte.scenarios import EVERY, OLD, OLD_AND_NEW, ask, timed, until
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

STREAM = "WatchActions"


async def begun(
    client: BackendClient, flyte: FlyteHarness, name: str = "q"
) -> asyncio.Future[Event]:
    """Return a wait for an event, once its stream is open."""
    before = flyte.server.calls[STREAM]
    waits = asyncio.ensure_future(client.wait(name))
    await until(lambda: flyte.server.calls[STREAM] > before or waits.done())
    await until(lambda: flyte.server.open_streams[STREAM] > 0 or waits.done())
    return waits


async def nothing_left(flyte: FlyteHarness) -> None:
    await until(lambda: not flyte.server.open_streams[STREAM])


@EVERY
async def test_an_answer_from_elsewhere_ends_a_wait_and_its_stream(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte, "q", "str")
    waits = await begun(client, flyte)
    flyte.server.model.signal_directly(RUN.name, action, "x", by="alice")
    reported = await waits
    assert (reported.phase, reported.payload, reported.signalled_by) == (SUCCEEDED, "x", "alice")
    await nothing_left(flyte)


@EVERY
async def test_an_abort_from_elsewhere_ends_a_wait(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    waits = await begun(client, flyte)
    flyte.server.model.abort_directly(RUN.name, action, "why")
    reported = await waits
    assert (reported.phase, reported.abort_reason) == (ABORTED, "why")


async def test_a_thousand_waits_in_a_run_cost_one_stream(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(1000)]
    waits = [asyncio.ensure_future(client.wait(action_name=action)) for action in actions]
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    for action in actions:
        flyte.server.model.signal_directly(RUN.name, action, True)
    reported = await asyncio.gather(*waits)
    assert [event.action_name for event in reported] == actions
    assert {event.payload for event in reported} == {True}
    assert flyte.server.calls[STREAM] == 1
    await nothing_left(flyte)


async def test_many_waits_for_an_event_share_one_stream(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    waits = [await begun(client, flyte)]
    waits += [asyncio.ensure_future(client.wait("q")) for _ in range(99)]
    (informer,) = (await flyte.connected()).informers._informers.values()
    await until(lambda: len(informer.subscribers.waits.get(action, ())) == 100)
    for one in waits[:50]:
        one.cancel()
    flyte.server.model.signal_directly(RUN.name, action, True)
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert sum(isinstance(one, Event) for one in results) >= 50
    assert flyte.server.calls[STREAM] == 1
    await nothing_left(flyte)


async def test_a_wait_that_is_cancelled_leaves_no_stream(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    for _ in range(3):
        waits = await begun(client, flyte)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        # The next one at once: it must not use the stream that is being closed.
        again = asyncio.ensure_future(client.wait("q"))
        await until(lambda: flyte.server.open_streams[STREAM] == 1)
        again.cancel()
        with pytest.raises(asyncio.CancelledError):
            await again
    await nothing_left(flyte)


async def test_a_wait_that_begins_as_the_last_one_leaves_is_answered(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    event = await client.get("q")
    assert event is not None
    backend = flyte.backend()
    first = asyncio.ensure_future(backend.resolved(event))
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    first.cancel()
    second = asyncio.ensure_future(backend.resolved(event))
    with pytest.raises(asyncio.CancelledError):
        await first
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await second).payload is True


@timed(stream_lifetime=0.0)
@pytest.mark.parametrize("fault", ["drop_streams", "break_streams"])
@EVERY
async def test_a_wait_survives_streams_that_end(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    action = ask(flyte)
    waits = await begun(client, flyte)
    for _ in range(5):
        opened = flyte.server.calls[STREAM]
        getattr(flyte.server.faults, fault)()
        await until(lambda opened=opened: flyte.server.calls[STREAM] > opened)  # type: ignore[misc]
        await until(lambda: flyte.server.open_streams[STREAM] == 1)
    assert not waits.done()
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await waits).payload is True
    await nothing_left(flyte)


@EVERY
async def test_a_wait_survives_a_server_that_goes_and_comes_back(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    waits = await begun(client, flyte)
    await asyncio.to_thread(flyte.server.stop)
    with pytest.raises(BackendUnavailable):
        await client.get("q")
    assert not waits.done()
    flyte.server.model.signal_directly(RUN.name, action, True)
    await asyncio.to_thread(flyte.server.start)
    assert (await waits).payload is True


@timed(resync_interval=0.05)
@EVERY
async def test_an_answer_that_no_stream_reports_is_found_by_polling(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.faults.lose_updates = True
    action = ask(flyte, "q", "int")
    await client.listing()  # since then it is known whether streams report of answers
    waits = await begun(client, flyte)
    flyte.server.model.signal_directly(RUN.name, action, 5)
    assert (await waits).payload == 5


@OLD
async def test_an_expiry_that_nothing_reports_ends_a_wait(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte, expires_in=60)
    waits = await begun(client, flyte)
    client.harness.pass_time(61)
    assert (await waits).phase == TIMED_OUT


async def test_a_backend_without_streams_is_polled(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.faults.unimplemented.add(STREAM)
    action = ask(flyte)
    waits = asyncio.ensure_future(client.wait("q"))
    await until(lambda: flyte.server.calls[STREAM] == 1)
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await waits).payload is True
    # The first wait may end before the response to its stream is read.
    again = asyncio.ensure_future(client.wait(action_name=ask(flyte, "other")))
    await until(lambda: flyte.server.calls["GetActionDetails"] > 4)
    streams, polls = flyte.server.calls[STREAM], flyte.server.calls["ListActions"]
    once_more = asyncio.ensure_future(client.wait(action_name=ask(flyte, "third")))
    await until(lambda: flyte.server.calls["ListActions"] > polls + 2)
    assert flyte.server.calls[STREAM] == streams
    again.cancel()
    once_more.cancel()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
        (grpc.StatusCode.UNIMPLEMENTED, UnsupportedByBackend),
        (grpc.StatusCode.NOT_FOUND, EventNotFound),
    ],
)
@OLD_AND_NEW
async def test_a_wait_ends_with_an_error_that_no_retry_can_fix(
    client: BackendClient, flyte: FlyteHarness, code: Any, error: type[Exception]
) -> None:
    ask(flyte)
    waits = [await begun(client, flyte), asyncio.ensure_future(client.wait("q"))]
    await until(lambda: flyte.server.calls["GetActionDetails"] >= 2)
    flyte.server.faults.errors["GetActionDetails"] = (code, "no more")
    flyte.server.faults.errors[STREAM] = (grpc.StatusCode.PERMISSION_DENIED, "no more")
    flyte.server.faults.drop_streams()
    for one in waits:
        with pytest.raises(error):
            await one


async def test_a_wait_continues_if_only_its_stream_is_rejected(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.faults.errors[STREAM] = (grpc.StatusCode.PERMISSION_DENIED, "no streams")
    action = ask(flyte)
    waits = asyncio.ensure_future(client.wait("q"))
    await until(lambda: flyte.server.calls[STREAM] == 1)
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await waits).payload is True
    assert flyte.server.calls[STREAM] <= stream.MAX_SHORT_FAILURES


async def test_an_answer_of_our_own_ends_our_waits_without_a_call(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.lose_updates = True
    waits = await begun(client, flyte)
    reported = await client.signal("q", True)
    assert await waits == reported


async def test_a_read_that_finds_an_event_resolved_ends_the_waits_for_it(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    flyte.server.faults.lose_updates = True
    waits = await begun(client, flyte)
    flyte.server.model.signal_directly(RUN.name, action, True)
    found = await client.get("q")
    assert await waits == found


async def test_closing_ends_waits_and_streams(client: BackendClient, flyte: FlyteHarness) -> None:
    for place in range(3):
        ask(flyte, f"q{place}")
    waits = [await begun(client, flyte, "q0")]
    waits += [asyncio.ensure_future(client.wait(f"q{place}")) for place in (1, 2)]
    session = await flyte.connected()
    (informer,) = session.informers._informers.values()
    await until(lambda: len(informer.subscribers.waits) == 3)
    await flyte.close()
    for one in waits:
        with pytest.raises(ShuttingDown):
            await one
    await nothing_left(flyte)
    assert await client.get("q0") is not None  # what is used again opens again


async def test_an_event_that_is_resolved_opens_no_stream(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    reported = await client.signal("q", True)
    assert await client.wait("q") == reported
    assert flyte.server.calls[STREAM] == 0


@timed(polls_per_second=0.001)
@OLD
async def test_polls_are_limited_however_many_waits_there_are(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(50)]
    waits = [asyncio.ensure_future(client.wait(action_name=action)) for action in actions]
    await until(lambda: flyte.server.calls["GetActionDetails"] >= 100)  # each was read twice
    calls_then = Counter(flyte.server.calls)
    await client.signal("q0", True)
    assert (await waits[0]).payload is True
    assert flyte.server.calls["GetActionDetails"] <= calls_then["GetActionDetails"] + 4
    for one in waits[1:]:
        one.cancel()
