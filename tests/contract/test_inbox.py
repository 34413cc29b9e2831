"""The pending events of all runs: watched, and listed."""

from __future__ import annotations

import asyncio

import pytest

from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, Event, Run, Scope, Target
from flyte_sidecar.protocol.results import encode
from tests.contract.harness import SCOPE, BackendClient

ELSEWHERE = Scope(None, "elsewhere", "local")


def run(number: int, scope: Scope = SCOPE) -> Run:
    return scope.run(f"run{number}")


def names(events: list[Event]) -> list[str]:
    return sorted(event.name for event in events)


async def filled(client: BackendClient, runs: int, events: int) -> list[Event]:
    """Create runs with pending events each, named 0.0, 0.1, ..."""
    return [
        await client.ask(run(one), f"{one}.{other}")
        for one in range(runs)
        for other in range(events)
    ]


# Watches.


async def test_a_watch_of_pending_events_covers_all_runs(client: BackendClient) -> None:
    one, two = await client.ask(run(1), "one"), await client.ask(run(2), "two")
    answered = await client.answer(await client.ask(run(2), "answered"))
    watching = client.watch(None)
    picture = await watching.pending(["one", "two"])
    assert set(picture.events.values()) == {one, two}
    assert answered.name not in picture.named()


async def test_a_watch_of_pending_events_stays_open_when_there_are_none(
    client: BackendClient,
) -> None:
    watching = client.watch(None)
    picture = await watching.synced()
    assert picture.events == {}
    await client.ask(run(1), "first")
    await watching.pending(["first"])
    assert not watching.feed.done()


async def test_an_event_reported_as_pending_is_reported_once_as_resolved(
    client: BackendClient,
) -> None:
    watching = client.watch(None)
    await watching.synced()
    events = [await client.ask(run(index), f"q{index}") for index in range(3)]
    await watching.pending(["q0", "q1", "q2"])
    await client.answer(events[0])
    await client.service.abort(client.service.write(target(events[1])), "why")
    picture = await watching.pending(["q2"])
    await client.answer(events[0])  # the same value again changes nothing
    await client.ask(run(3), "last")
    await watching.pending(["q2", "last"])
    ends = [change for change in picture.changes() if change[0] == "resolved"]
    assert sorted(ends) == [("resolved", "q0"), ("resolved", "q1")]
    assert not [change for change in picture.changes() if change[0] == "removed"]


def target(event: Event) -> Target:
    return Target(event.run, action_name=event.action_name)


async def test_answers_of_another_client_to_pending_events_are_reported(
    client: BackendClient,
) -> None:
    other = BackendClient(client.harness)
    event = await client.ask(run(1), "q")
    watching = client.watch(None)
    await watching.pending(["q"])
    await other.answer(event)
    picture = await watching.pending([])
    assert picture.named()["q"].phase == SUCCEEDED
    await other.ask(run(2), "asked by it")
    await watching.pending(["asked by it"])


async def test_the_expiry_of_a_pending_event_is_reported(client: BackendClient) -> None:
    await client.ask(run(1), "q", expires_in=60)
    await client.ask(run(2), "stays")
    watching = client.watch(None)
    await watching.pending(["q", "stays"])
    client.harness.pass_time(61)
    picture = await watching.pending(["stays"])
    assert picture.named()["q"].phase == TIMED_OUT


async def test_pending_events_under_a_parent_are_reported_of_all_runs(
    client: BackendClient,
) -> None:
    for number in range(2):
        await client.ask(run(number), f"other{number}")
        await client.ask(run(number), f"q{number}", "a1")
    watching = client.watch(None, parent="a1")
    await watching.pending(["q0", "q1"])
    await client.ask(run(2), "other2")
    await client.ask(run(2), "q2", "a1")
    picture = await watching.pending(["q0", "q1", "q2"])
    assert set(picture.named()) == {"q0", "q1", "q2"}


async def test_a_listing_of_pending_events_excludes_other_scopes(client: BackendClient) -> None:
    await client.make("here")
    there = await client.ask(run(1, ELSEWHERE), "there")
    here, other = client.watch(None), client.watch(None, scope=ELSEWHERE)
    await here.pending(["here"])
    await other.pending(["there"])
    await client.answer(there)
    await other.pending([])
    assert set(here.picture.named()) == {"here"}


async def test_a_watch_of_pending_events_sees_the_writes_of_every_run(
    client: BackendClient,
) -> None:
    event = await client.make("q")
    signalling = asyncio.ensure_future(client.answer(event))
    await asyncio.sleep(0)
    picture = await client.watch(None).synced()
    assert signalling.done()
    assert picture.events == {}


async def test_a_thousand_pending_events_are_all_reported(client: BackendClient) -> None:
    events = await filled(client, 10, 100)
    watching = client.watch(None)
    await watching.pending(names(events))
    for event in events[::2]:
        await client.answer(event)
    await watching.pending(names(events[1::2]))


# Listings.


async def test_only_pending_events_are_listed_and_in_full(client: BackendClient) -> None:
    assert await client.pending() == []
    events = await filled(client, 3, 2)
    expiring = await client.ask(run(0), "expires", expires_in=60)
    assert set(await client.pending()) == {*events, expiring}
    await client.answer(events[0])
    await client.answer(events[3])
    assert names(await client.pending()) == ["0.1", "1.0", "2.0", "2.1", "expires"]
    client.harness.pass_time(61)
    assert names(await client.pending()) == ["0.1", "1.0", "2.0", "2.1"]
    assert await client.pending(ELSEWHERE) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 1000])
async def test_pages_of_pending_events_hold_every_event_once(
    client: BackendClient, limit: int
) -> None:
    events = await filled(client, 3, 3)
    await client.answer(events.pop())
    found: list[str] = []
    cursor = None
    while True:
        page = await client.pending_page(limit=limit, cursor=cursor)
        assert len(page.events) <= limit
        found += names(page.events)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(found) == names(events)


async def test_a_page_of_pending_events_ends_early_rather_than_exceed_max_bytes(
    client: BackendClient,
) -> None:
    events = await filled(client, 2, 20)
    one = max(len(encode(event)) for event in await client.pending())
    found: list[Event] = []
    cursor = None
    while True:
        page = await client.pending_page(max_bytes=3 * one, cursor=cursor)
        assert 0 < len(encode(page)) < 4 * one + 200
        found += page.events
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names(found) == names(events)
    assert len(await client.pending(max_bytes=1)) == len(events)


async def test_a_listing_of_pending_events_sees_the_writes_of_every_run(
    client: BackendClient,
) -> None:
    event = await client.make("q")
    signalling = asyncio.ensure_future(client.answer(event))
    await asyncio.sleep(0)
    assert await client.pending() == []
    assert signalling.done()
    assert [one.pending_events for one in await client.runs()] == [0]
