"""Watching a run: the current events, then the changes of any client."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar.events import payloads
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, TIMED_OUT, Event, Run
from tests.contract.harness import BackendClient, Picture, Watching, settle

UNKNOWN = Run(None, "local", "local", "nobody")


def same(reported: Event, event: Event) -> bool:
    """Return whether a watch has reported the end of an event; details may be omitted."""
    known = (reported.action_name, reported.name, reported.parent, reported.phase, reported.pending)
    if known != (event.action_name, event.name, event.parent, event.phase, event.pending):
        return False
    return reported.partial or payloads.same(reported.payload, event.payload)


def shows(picture: Picture, events: Iterable[Event]) -> bool:
    """Return whether exactly these events are known, in these states."""
    true = {event.action_name: event for event in events}
    reported = {event.action_name: event for event in picture.events.values()}
    return reported.keys() == true.keys() and all(same(reported[key], true[key]) for key in true)


async def ended(watching: Watching, event: Event) -> Picture:
    """Take updates until the end of an event is reported."""
    return await watching.until(
        lambda picture: any(same(reported, event) for reported in picture.events.values())
    )


def of(picture: Picture, name: str) -> list[str]:
    """Return the changes of one event; a backend may update a pending event."""
    found = [change for change, its in picture.changes() if its == name]
    return [change for change in found if change != "updated"]


async def test_all_current_events_are_reported_first(client: BackendClient) -> None:
    waits = await client.make("waits", "int")
    await client.make("answered", "int")
    answered = await client.signal("answered", 5)
    await client.make("aborted")
    aborted = await client.abort("aborted", "why")
    watching = client.watch()
    picture = await watching.until(lambda picture: bool(picture.updates) and picture.synced)
    assert [change for change, _ in picture.changes()] == ["created"] * 3
    assert shows(picture, [waits, answered, aborted])
    assert not watching.feed.done()


async def test_a_pending_event_is_reported_in_full(client: BackendClient) -> None:
    event = await client.make("q", "int", expires_in=3600)
    picture = await client.watch().pending(["q"])
    reported = picture.named()["q"]
    assert not reported.partial
    assert reported == event


async def test_an_unknown_run_is_empty_and_stays_watched(client: BackendClient) -> None:
    await client.make("q")
    watching = client.watch(UNKNOWN)
    picture = await watching.synced()
    assert picture.events == {}
    event = await client.ask(UNKNOWN, "first")
    await watching.pending(["first"])
    await ended(watching, await client.answer(event))
    assert not watching.feed.done()


async def test_changes_are_reported_as_they_happen(client: BackendClient) -> None:
    watching = client.watch()
    await watching.synced()
    await client.make("q", "int")
    picture = await watching.pending(["q"])
    await ended(watching, await client.signal("q", 5))
    await client.make("gone")
    await watching.pending(["gone"])
    reported = await client.abort("gone", "why")
    await ended(watching, reported)
    assert of(picture, "q") == ["created", "resolved"]
    assert of(picture, "gone") == ["created", "resolved"]
    assert {event.phase for event in picture.events.values()} == {SUCCEEDED, ABORTED}


async def test_changes_by_another_client_are_reported(client: BackendClient) -> None:
    other = BackendClient(client.harness)
    await client.make("before", "str")
    watching = client.watch()
    await watching.pending(["before"])
    await ended(watching, await other.signal("before", "yes"))
    await other.make("after")
    await watching.pending(["after"])
    await ended(watching, await other.abort("after"))


async def test_an_expiry_is_reported_as_the_end(client: BackendClient) -> None:
    event = await client.make("q", expires_in=60)
    await client.make("stays")
    watching = client.watch()
    await watching.pending(["q", "stays"])
    client.harness.pass_time(61)
    picture = await watching.pending(["stays"])
    reported = picture.named()["q"]
    assert (reported.phase, reported.ended_at) == (TIMED_OUT, event.expires_at)
    assert of(picture, "q") == ["created", "resolved"]


async def test_the_expiry_of_an_event_created_during_a_watch_is_reported(
    client: BackendClient,
) -> None:
    watching = client.watch()
    await watching.synced()
    await client.make("q", expires_in=60)
    await watching.pending(["q"])
    client.harness.pass_time(61)
    picture = await watching.pending([])
    assert picture.named()["q"].phase == TIMED_OUT


async def test_only_events_under_the_parent_are_reported(client: BackendClient) -> None:
    await client.make("other")
    await client.make("before", parent="a1")
    watching = client.watch(parent="a1")
    await watching.pending(["before"])
    await client.make("another")
    await client.make("after", parent="a1")
    await client.signal("other", True)
    await client.signal("before", True)
    picture = await watching.pending(["after"])
    assert set(picture.named()) == {"before", "after"}
    assert await client.watch(parent="a9").synced()


async def test_each_event_of_one_name_is_reported(client: BackendClient) -> None:
    events = [await client.make("q", parent=f"a{index}") for index in range(3)]
    watching = client.watch()
    await watching.until(lambda picture: picture.synced and shows(picture, events))
    events[1] = await client.signal(None, True, action_name=events[1].action_name)
    await watching.until(lambda picture: shows(picture, events))


async def test_runs_of_one_name_in_other_scopes_are_distinct(client: BackendClient) -> None:
    elsewhere = Run(None, "elsewhere", "local", "r1")
    await client.make("here")
    there = await client.ask(elsewhere, "there")
    here, other = client.watch(), client.watch(elsewhere)
    await here.pending(["here"])
    await other.pending(["there"])
    await client.answer(there)
    await other.pending([])
    await client.make("also here")
    await here.pending(["here", "also here"])
    assert set(other.picture.named()) == {"there"}


@pytest.mark.parametrize(
    ("expected_type", "payload"),
    [
        ("bool", False),
        ("int", 2**60),
        ("int", -1),
        ("float", 3.0),
        ("float", math.nan),
        ("float", -math.inf),
        ("str", ""),
        ("str", "é" * 5000),
    ],
)
async def test_an_answer_is_reported_with_its_type(
    client: BackendClient, expected_type: str, payload: Any
) -> None:
    await client.make("q", expected_type)
    watching = client.watch()
    await watching.pending(["q"])
    picture = await ended(watching, await client.signal("q", payload))
    reported = picture.named()["q"]
    assert reported.partial or repr(reported.payload) == repr(payload)
    assert reported.expected_type == expected_type


async def test_a_watch_sees_the_writes_that_were_sent_before_it(client: BackendClient) -> None:
    await client.make("q")
    signalling = asyncio.ensure_future(client.signal("q", True))
    await asyncio.sleep(0)
    picture = await client.watch().synced()
    assert signalling.done()
    assert shows(picture, [signalling.result()])
    assert picture.changes() == [("created", "q")]


async def test_a_watch_delays_no_write(client: BackendClient) -> None:
    watching = client.watch()
    event = await client.make("q")
    assert (await client.signal("q", True)).action_name == event.action_name
    await client.make("gone")
    await client.abort("gone")
    await watching.until(lambda picture: picture.synced and len(picture.events) == 2)
    await watching.pending([])


async def test_a_watch_that_is_not_read_reports_only_the_latest_state_of_each_event(
    client: BackendClient,
) -> None:
    watching = client.watch()
    await watching.synced()
    for index in range(10):
        await client.make(f"q{index}")
    last = await client.make("last")
    events = [await client.signal(f"q{index}", True) for index in range(10)]
    fresh = client.watch()
    await fresh.until(lambda picture: shows(picture, [*events, last]))
    await watching.until(lambda picture: shows(picture, [*events, last]))


async def test_a_watch_that_ended_gets_nothing_and_the_others_continue(
    client: BackendClient,
) -> None:
    first, second = client.watch(), client.watch()
    await first.synced()
    await second.synced()
    await first.close()
    await client.make("q")
    await second.pending(["q"])
    first.take()
    assert first.picture.events == {}
    third = client.watch()
    await third.pending(["q"])


async def test_a_watch_that_is_closed_before_it_starts_leaves_nothing_behind(
    client: BackendClient,
) -> None:
    await client.make("q")
    never = client.watch()
    await never.close()
    begun = client.watch()
    await settle(2)
    await begun.close()
    await client.watch().pending(["q"])
    never.take()
    assert never.picture.updates == []


async def test_200_watches_of_one_run_report_the_same(client: BackendClient) -> None:
    await client.make("before")
    feeds = [client.watch() for _ in range(200)]
    for watching in feeds:
        await watching.pending(["before"])
    events = [await client.signal("before", True)]
    await client.make("after")
    events.append(await client.signal("after", False))
    for watching in feeds:
        await watching.until(lambda picture: shows(picture, events))


async def test_watches_of_the_same_events_hold_the_same_objects(client: BackendClient) -> None:
    await client.make("q")
    await client.make("str", "str")
    pictures = [await client.watch().pending(["q", "str"])]
    pictures.append(await client.watch().pending(["q", "str"]))
    pictures.append(await client.watch(run=None).pending(["q", "str"]))
    for name in ("q", "str"):
        assert len({id(picture.named()[name]) for picture in pictures}) == 1


async def test_a_thousand_events_are_all_reported(client: BackendClient) -> None:
    count = 1000
    events = [await client.make(f"q{index}") for index in range(count)]
    watching = client.watch()
    picture = await watching.pending(event.name for event in events)
    for start in range(0, count, 100):
        await asyncio.gather(*(client.answer(event) for event in events[start : start + 100]))
    await watching.pending([])
    assert len(picture.events) == count
    assert {event.phase for event in picture.events.values()} == {SUCCEEDED}


parents = itertools.count()

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.integers(1, 3)),
        st.tuples(st.just("signal"), st.integers(0, 30)),
        st.tuples(st.just("abort"), st.integers(0, 30)),
        st.tuples(st.just("watch"), st.just(0)),
        st.tuples(st.just("take"), st.integers(0, 30)),
    ),
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=20)
async def test_after_any_sequence_every_watch_agrees_with_a_listing(
    client: BackendClient, steps: list[tuple[str, int]]
) -> None:
    parent = f"p{next(parents)}"  # separates the events within the same run
    clients = [client, BackendClient(client.harness)]

    feeds = [client.watch(parent=parent)]
    made = 0
    for (what, number), by in zip(steps, itertools.cycle(clients), strict=False):
        name = f"q{number % made}" if made else None
        if what == "make":
            for _ in range(number):
                await by.make(f"q{made}", parent=parent)
                made += 1
        elif what == "watch":
            feeds.append(by.watch(parent=parent))
        elif what == "take":
            await settle()
            feeds[number % len(feeds)].take()
        elif name is not None:
            event = await by.get(name, parent=parent)
            if event is not None and event.pending:
                if what == "signal":
                    await by.signal(name, True, parent=parent)
                else:
                    await by.abort(name, "why", parent=parent)
    events = await client.listing(parent=parent)
    assert len(events) == made
    for watching in feeds:
        await watching.until(lambda picture: picture.synced and shows(picture, events))
    for one in clients:
        await one.close()
