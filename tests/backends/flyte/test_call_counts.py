"""How many calls it takes to open a watch, and to follow what changes."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flyte_sidecar.errors import AlreadySignalled
from tests.backends.flyte.scenarios import ask, timed, until
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient, Watching, settle
from tests.fake_runservice import hostile

LISTED, DETAILS, STREAM, SIGNAL = "ListActions", "GetActionDetails", "WatchActions", "SignalEvent"
NEW = pytest.mark.parametrize("release", ["2.0.43", "hosted"])
idle = timed(resync_interval=3600.0, resyncs_per_second=1e-9)


async def opened(client: BackendClient, flyte: FlyteHarness) -> Watching:
    """Return a watch that is synced, and whose stream has reported the current events."""
    watching = client.watch()
    await watching.synced()
    session = await flyte.connected()
    (informer,) = session.informers._informers.values()
    await until(lambda: informer._stream.live and not informer._dirty)
    return watching


@NEW
@idle
async def test_opening_a_watch_lists_its_run_once_and_reads_each_pending_event_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(5):
        ask(flyte, f"q{place}")
    for place in range(3):
        flyte.server.model.signal_directly(RUN.name, ask(flyte, f"answered{place}"), True)
    watching = await opened(client, flyte)
    assert flyte.server.calls[LISTED] == 1
    assert flyte.server.calls[STREAM] == 1
    pending = sum(event.pending for event in watching.picture.events.values())
    assert pending == 5
    named = Counter(
        request.action_id.name for method, request, _ in flyte.server.requests if method == DETAILS
    )
    assert max(named.values()) == 1


@NEW
@idle
async def test_a_second_watch_of_a_run_reads_no_details_and_lists_it_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(5):
        ask(flyte, f"q{place}")
    await opened(client, flyte)
    flyte.server.calls.clear()
    await client.watch().pending(f"q{place}" for place in range(5))
    assert flyte.server.calls == Counter({LISTED: 1})


@NEW
@idle
async def test_a_signal_of_our_own_during_a_watch_costs_one_read_and_is_delivered_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    watching = await opened(client, flyte)
    flyte.server.calls.clear()
    answered = await client.signal(None, True, action_name=action)
    await watching.pending([])
    await reported(client, flyte, watching)
    assert flyte.server.calls == Counter({SIGNAL: 1, DETAILS: 2})  # one is of `after`
    assert watching.picture.changes() == [("created", "q"), ("resolved", "q"), ("created", "after")]
    assert watching.picture.named()["q"] == answered


@NEW
@idle
async def test_a_signal_whose_change_is_reported_before_its_response_costs_one_read(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    watching = await opened(client, flyte)
    session = await flyte.connected()
    (informer,) = session.informers._informers.values()
    flyte.server.calls.clear()
    gate = asyncio.Event()
    send = session.service.signal

    async def late(*args: object) -> None:
        await send(*args)  # type: ignore[arg-type]
        await gate.wait()

    session.service.signal = late  # type: ignore[method-assign]
    signalling = asyncio.ensure_future(client.signal(None, True, action_name=action))
    await until(lambda: action in informer._dirty)
    gate.set()
    await signalling
    await watching.pending([])
    await reported(client, flyte, watching)
    assert flyte.server.calls == Counter({SIGNAL: 1, DETAILS: 2})


@NEW
@idle
async def test_an_answer_from_elsewhere_costs_one_read_and_is_delivered_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    watching = await opened(client, flyte)
    flyte.server.calls.clear()
    flyte.server.model.signal_directly(RUN.name, action, True)
    await watching.pending([])
    await reported(client, flyte, watching)
    assert (flyte.server.calls[DETAILS], flyte.server.calls[LISTED]) == (2, 0)
    assert [change for change, name in watching.picture.changes() if name == "q"] == [
        "created",
        "resolved",
    ]


@NEW
@idle
async def test_an_event_that_is_chosen_from_a_watch_is_read_before_it_is_aborted_or_waited_for(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    aborted, waited = ask(flyte, "aborted"), ask(flyte, "waited")
    await opened(client, flyte)
    flyte.server.faults.lose_updates = True
    for action in (aborted, waited):
        flyte.server.model.signal_directly(RUN.name, action, True)
    with pytest.raises(AlreadySignalled):
        await client.abort(action_name=aborted)
    assert flyte.server.model.action(RUN.name, aborted).phase == "SUCCEEDED"
    assert (await client.wait(action_name=waited)).payload is True


async def test_requests_that_are_made_at_once_share_two_reads(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    await client.get(action_name=action)
    flyte.server.calls.clear()
    found = await asyncio.gather(*(client.get(action_name=action) for _ in range(100)))
    assert len(found) == 100
    assert flyte.server.calls[DETAILS] <= 2


async def test_a_request_shares_no_read_that_began_before_it(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    await client.get(action_name=action)
    gate = threading.Event()

    async def late(_: Any, execute: hostile.Execute) -> AsyncIterator[bytes]:
        response = await execute()
        await asyncio.to_thread(gate.wait)
        yield response

    flyte.server.hostile.script(DETAILS, [late])
    calls = flyte.server.calls[DETAILS]
    first = asyncio.ensure_future(client.get(action_name=action))
    await until(lambda: flyte.server.calls[DETAILS] > calls)
    await asyncio.to_thread(flyte.server.model.signal_directly, RUN.name, action, True)
    second = asyncio.ensure_future(client.get(action_name=action))
    await settle()
    gate.set()
    before, after = await asyncio.gather(first, second)
    assert before is not None
    assert after is not None
    assert (before.pending, after.payload) == (True, True)


@NEW
@idle
async def test_a_wait_for_an_event_whose_end_the_stream_has_reported_ends_at_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    event = await client.get(action_name=action)
    assert event is not None
    other = asyncio.ensure_future(client.wait(action_name=ask(flyte, "other")))
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    cache = (await flyte.connected()).reader.cache
    flyte.server.model.signal_directly(RUN.name, action, True)
    await until(lambda: cache.is_resolved(RUN, action))
    # As if the event had been read just before the answer.
    assert (await flyte.backend().resolved(event)).payload is True
    other.cancel()


async def reported(client: BackendClient, flyte: FlyteHarness, watching: Watching) -> None:
    """Wait until the stream has reported everything so far: it reports a new event as the last."""
    ask(flyte, "after")
    await watching.until(lambda picture: "after" in picture.named())
