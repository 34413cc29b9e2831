"""Listings: how many calls they take, what they report, and what changes while they are read."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

import grpc
import pytest

from flyte_sidecar.backends.flyte.read import bulk_metadata, cached_listings
from flyte_sidecar.errors import BackendError, CursorExpired
from flyte_sidecar.events.model import ABORTED, PAUSED, SUCCEEDED, Event
from tests.backends.flyte.scenarios import EVERY, OLD, OLD_AND_NEW, ask, prove, timed
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

LEFT_OUT = ("prompt", "prompt_type", "description", "expires_at", "payload", "signalled_by")


def reported(event: Event) -> dict[str, object]:
    """Return what a partial event must report."""
    return {
        name: getattr(event, name)
        for name in Event.__struct_fields__
        if name not in (*LEFT_OUT, "abort_reason", "partial")
    }


async def test_a_thousand_events_that_listings_prove_take_five_listings_and_one_snapshot(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    prove(flyte)
    for place in range(999):
        ask(flyte, f"q{place}")
    page = await client.page(limit=1000, details=False)
    assert [event.name for event in page.events] == ["first", *(f"q{n}" for n in range(999))]
    assert {event.expected_type for event in page.events} == {"bool"}
    assert page.next_cursor is None
    assert flyte.server.calls == Counter(ListActions=5, WatchActions=1)
    flyte.server.calls.clear()
    again = await client.page(limit=1000, details=False)  # names and types never change
    assert again == page
    assert flyte.server.calls == Counter(ListActions=5)


async def test_what_no_listing_proves_is_checked_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(1000):
        ask(flyte, f"q{place}")
    for calls in (1000, 0):
        flyte.server.calls.clear()
        found = await client.listing(details=False)
        assert [event.name for event in found] == [f"q{place}" for place in range(1000)]
        assert flyte.server.calls == Counter(ListActions=5, GetActionDetails=calls)


@OLD_AND_NEW
async def test_details_are_asked_for_where_they_are_wanted(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(100):
        ask(flyte, f"q{place}", description="why")
    found = await client.listing(details=True)
    assert {(event.partial, event.description) for event in found} == {(False, "why")}
    assert flyte.server.calls["GetActionDetails"] in (100, 101)  # before 2.0.43 of the root too
    assert flyte.server.calls["WatchActions"] == 0  # it would report nothing that details do not


async def test_few_events_of_many_are_checked_one_by_one(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(1000):
        ask(flyte, f"q{place}")
    page = await client.page(limit=3, details=False)
    assert [event.name for event in page.events] == ["q0", "q1", "q2"]
    assert flyte.server.calls == Counter(ListActions=5, GetActionDetails=3)


@pytest.mark.parametrize("release", ["2.0.43", "hosted"])
async def test_a_partial_event_equals_the_whole_one_except_for_its_details(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    prove(flyte)
    for place in range(40):
        ask(flyte, f"q{place}", "float", group="g", parent="a1", prompt="?", expires_in=9999)
    await client.signal("q3", 1.5)
    await client.abort("q4", "why")
    whole = await client.listing(details=True)
    await flyte.close()  # what was kept is forgotten
    partial = await client.listing(details=False)
    assert {event.partial for event in partial} == {True}
    assert {getattr(event, name) for event in partial for name in LEFT_OUT} == {None}
    assert list(map(reported, partial)) == list(map(reported, whole))


@OLD
async def test_no_event_is_partial_where_a_phase_is_not_to_be_relied_on(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(5)]
    flyte.server.model.signal_directly(RUN.name, actions[2], False)
    found = await client.listing(details=False)
    assert [event.phase for event in found] == [PAUSED, PAUSED, SUCCEEDED, PAUSED, PAUSED]
    assert [event.payload for event in found] == [None, None, False, None, None]
    assert not any(event.partial for event in found)
    flyte.server.calls.clear()
    await client.listing(details=False)
    assert flyte.server.calls == Counter(ListActions=1, GetActionDetails=4)


@EVERY
async def test_thousands_of_tasks_cost_no_details(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(3000):
        flyte.server.model.task(RUN.name, "work", phase="SUCCEEDED" if place % 2 else "RUNNING")
    actions = [ask(flyte, f"q{place}") for place in range(3)]
    await client.abort("q1")
    flyte.server.calls.clear()
    found = await client.listing(details=False)
    assert [event.action_name for event in found] == actions
    assert flyte.server.calls["GetActionDetails"] <= 3
    assert flyte.server.calls["WatchActions"] <= 1


@EVERY
async def test_a_row_that_moves_between_two_pages_pushes_none_out(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    instant = flyte._now().replace(microsecond=1)  # all is made in one second
    flyte.server.model.now = lambda: instant
    actions = [ask(flyte, f"q{place}", action=f"m{place:04}") for place in range(600)]
    # Made last, and moved before all others of its second while pages are read.
    late = [ask(flyte, f"late{place}", action=f"b{place}", queued=True) for place in range(3)]
    moving = iter(late)
    random = Random(7)

    def shift() -> None:
        if random.random() < 0.5:
            action = next(moving, None)
            if action is not None:
                flyte.server.model.reconcile(RUN.name, action)

    flyte.server.faults.shift = shift
    found = [event.action_name for event in await client.listing(details=False)]
    assert sorted(found) == sorted(actions + late)
    assert len(found) == len(set(found))


async def test_a_run_that_changes_too_fast_to_be_listed_is_an_error(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    instant = flyte._now().replace(microsecond=1)  # all is made in one second
    flyte.server.model.now = lambda: instant
    for place in range(250):
        ask(flyte, f"q{place}", action=f"m{place:04}")

    def shift() -> None:
        # Always one more event at the end, which moves to the front after the first page.
        for number in range(2):
            name = f"a{flyte.server.calls['ListActions']:04}-{number}"
            ask(flyte, action=name, queued=True)
            flyte.server.model.reconcile(RUN.name, name)

    flyte.server.faults.shift = shift
    with pytest.raises(BackendError) as refused:
        await client.page()
    assert refused.value.retryable
    assert refused.value.data["grpcStatus"] == "ABORTED"
    assert flyte.server.calls["ListActions"] <= 3 * 10


@OLD_AND_NEW
async def test_a_snapshot_that_fails_is_made_up_for_by_details(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    prove(flyte)
    for place in range(40):
        ask(flyte, f"q{place}")
    status = grpc.StatusCode.UNKNOWN
    flyte.server.faults.errors["WatchActions"] = (status, "parent node [x] not found")
    for _ in range(2):
        found = await client.listing(details=False)
        assert [event.name for event in found] == ["first", *(f"q{n}" for n in range(40))]
    assert flyte.server.calls["WatchActions"] <= 1


async def test_a_deployment_without_snapshots_is_asked_for_one_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.faults.unimplemented.add("WatchActions")
    for run in ("r1", "r2", "r3"):
        prove(flyte, run)
        for place in range(40):
            flyte.server.model.ask(run, f"q{place}")
    for run in ("r1", "r2", "r3"):
        page = await client.page(type(RUN)(None, RUN.project, RUN.domain, run), details=False)
        assert len(page.events) == 41
    assert flyte.server.calls["WatchActions"] == 1


@timed(snapshot_gap=0.05)
async def test_a_snapshot_in_which_events_are_missing_is_completed_by_details(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(flyte)
    for place in range(40):
        ask(flyte, f"q{place}")
    # Asked after the snapshot began, and lost by its stream.
    flyte.server.faults.lose_updates = True
    taken = flyte.server.model.actions

    def without_some(key: Any) -> Any:
        return [one for one in taken(key) if one.name not in ("q7", "q39")]

    monkeypatch.setattr(flyte.server.model, "actions", without_some)
    found = await client.listing(details=False)
    assert [event.name for event in found] == ["first", *(f"q{n}" for n in range(40))]
    assert flyte.server.calls == Counter(ListActions=1, WatchActions=1, GetActionDetails=2)


@timed(snapshot_gap=0.0)
async def test_a_snapshot_is_waited_for_as_long_as_asking_would_take(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_metadata, "DETAILS_COST", 1e6)
    flyte.server.service.page_size = 3
    prove(flyte)
    for place in range(40):
        ask(flyte, f"q{place}")
    flyte.server.faults.delay["WatchActions"] = 0.3
    assert len(await client.listing(details=False)) == 41
    assert flyte.server.calls == Counter(ListActions=1, WatchActions=1)


@timed(snapshot_timeout=0.05)
async def test_a_run_whose_stream_stays_empty_is_not_asked_for_a_snapshot_again(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(flyte)
    flyte.server.faults.delay["WatchActions"] = 3600.0
    for count in (40, 80):
        for place in range(40):
            ask(flyte, f"q{place}")
        assert len(await client.listing(details=False)) == count + 1
    assert flyte.server.calls["WatchActions"] == 1


async def test_no_stream_stays_open_after_a_snapshot(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    prove(flyte)
    for place in range(40):
        ask(flyte, f"q{place}")
    await client.listing(details=False)
    assert flyte.server.calls["WatchActions"] == 1
    async with asyncio.timeout(TEST_TIMEOUT):
        while flyte.server.open_streams["WatchActions"]:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("release", ["2.0.43", "hosted"])
async def test_a_later_page_makes_no_call_and_adds_what_has_become_known_since(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    prove(flyte)
    actions = [ask(flyte, f"q{place}") for place in range(40)]
    page = await client.page(limit=37, details=False)
    for action in actions[36:39]:
        flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await client.get("q37")) is not None
    await client.signal("q38", True)
    flyte.server.calls.clear()
    page = await client.page(cursor=page.next_cursor, details=False)
    assert [(event.name, event.phase) for event in page.events] == [
        ("q36", PAUSED),
        ("q37", SUCCEEDED),
        ("q38", SUCCEEDED),
        ("q39", PAUSED),
    ]
    assert not flyte.server.calls


async def test_a_cursor_is_good_for_some_minutes_only(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = 1000.0
    monkeypatch.setattr(cached_listings, "monotonic", lambda: instant)
    for place in range(6):
        ask(flyte, f"q{place}")
    first = (await client.page(limit=1)).next_cursor
    instant += cached_listings.CURSOR_TTL - 1
    second = (await client.page(limit=1, cursor=first)).next_cursor
    instant += cached_listings.CURSOR_TTL - 1  # each use keeps the listing for longer
    assert len((await client.page(limit=1, cursor=second)).events) == 1
    instant += cached_listings.CURSOR_TTL + 1
    for cursor in (first, second):
        with pytest.raises(CursorExpired):
            await client.page(cursor=cursor)


async def test_listings_that_are_kept_are_bounded(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_listings, "MAX_CACHED_ROWS", 50)
    for place in range(20):
        ask(flyte, f"q{place}")
    given = [(await client.page(limit=1)).next_cursor for _ in range(3)]
    with pytest.raises(CursorExpired):
        await client.page(cursor=given[0])
    assert len((await client.page(cursor=given[2])).events) == 19
    for place in range(100):
        ask(flyte, f"more{place}")
    with pytest.raises(BackendError, match="at most 50 can be listed"):
        await client.page(limit=1)


@pytest.mark.parametrize("release", ["2.0.43", "hosted"])
async def test_details_are_read_only_of_events_in_the_wanted_phases(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(300)]
    for action in actions[:297]:
        flyte.server.model.abort_directly(RUN.name, action)
    found = await client.listing(phases=[PAUSED], details=False)
    assert [event.name for event in found] == ["q297", "q298", "q299"]
    assert flyte.server.calls["GetActionDetails"] <= 3
    assert len(await client.listing(phases=[ABORTED])) == 297
