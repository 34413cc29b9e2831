"""The feed of a watch whose client does not read, or reads slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from msgspec.structs import replace

from flyte_sidecar.events.coalescing import (
    HIGH_WATER_BYTES,
    HIGH_WATER_ENTRIES,
    Changed,
    CoalescingQueue,
    Disconnected,
    Synced,
    WatchUpdate,
)
from flyte_sidecar.events.model import SUCCEEDED, Event
from tests.conftest import TEST_TIMEOUT
from tests.events.states import AGAIN, DOWN, RUN, answered, event, synced, taken


def test_of_what_was_not_read_only_the_newest_is_told_in_the_place_of_the_first() -> None:
    watch = CoalescingQueue(RUN)
    for number in range(100):
        for name in "abc":
            watch.put(event(name, prompt=str(number)))
    watch.put(answered(event("b")))
    assert taken(watch) == [
        Changed("created", event("a", prompt="99")),
        Changed("created", answered(event("b"))),
        Changed("created", event("c", prompt="99")),
    ]


def test_a_backend_that_flaps_leaves_a_bounded_queue() -> None:
    watch = CoalescingQueue(RUN)
    watch.put(event())
    watch.sync()
    for number in range(10_000):
        watch.disconnect(DOWN)
        watch.put(event(prompt=str(number)))
        watch.sync()
        assert len(watch._queue) <= 4
    told = [Changed("created", event(prompt="9999")), Synced(), Disconnected(DOWN), AGAIN]
    assert taken(watch) == told
    for _ in range(10_000):
        watch.disconnect(DOWN)
        watch.sync()
        assert len(watch._queue) <= 2
    assert taken(watch) == [Disconnected(DOWN), AGAIN]


def test_an_event_that_changes_without_end_does_not_hold_up_the_others() -> None:
    watch = synced(RUN, event("busy"))
    watch.put(event("busy", prompt="0"))
    watch.put(event("other"))
    names = []
    for number in range(1, 4):
        note = watch.take()
        assert isinstance(note, Changed)
        names.append(note.event.name)
        watch.put(event("busy", prompt=str(number)))
    assert names == ["busy", "other", "busy"]


def heavy(name: str, size: int = 1 << 20) -> Event:
    return event(name, expected_type="str", prompt=f"{name}?", description="d", payload="x" * size)


def ended(event: Event) -> Event:
    return replace(event, phase=SUCCEEDED, pending=False)


def test_beyond_a_weight_what_is_resolved_goes_without_its_details() -> None:
    watch = CoalescingQueue(RUN)
    count = 2 * (HIGH_WATER_BYTES >> 20)
    for number in range(count):
        watch.put(ended(heavy(str(number))))
    watch.put(event("waits"))
    notes = taken(watch)
    told = [note.event for note in notes if isinstance(note, Changed)]
    assert len(told) == count + 1
    assert told[0] == ended(heavy("0"))
    assert told[-1] == event("waits")
    light = told[-2]
    assert light.partial
    assert (light.payload, light.prompt, light.prompt_type, light.description) == (None,) * 4
    assert (light.name, light.expected_type, light.phase) == (str(count - 1), "str", SUCCEEDED)
    assert sum(len(str(one.payload)) for one in told) < HIGH_WATER_BYTES + (2 << 20)


def test_what_was_read_weighs_nothing_any_more() -> None:
    watch = CoalescingQueue(RUN)
    for number in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(ended(heavy(str(number))))
        (note,) = taken(watch)
        assert isinstance(note, Changed)
        assert not note.event.partial


def test_states_that_were_replaced_or_are_gone_weigh_nothing_any_more() -> None:
    watch = CoalescingQueue(RUN)
    for _ in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(heavy("same"))
    for number in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(heavy(f"gone{number}"))
        watch.remove(heavy(f"gone{number}"))
    watch.put(ended(heavy("last")))
    last = taken(watch)[-1]
    assert last == Changed("created", ended(heavy("last")))


def test_an_end_that_was_told_in_full_is_not_told_again_with_less() -> None:
    done = ended(heavy("done"))
    watch = synced(RUN, done)
    for number in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(heavy(str(number)))
    watch.put(done)
    assert ("updated", "done") not in changes(taken(watch))


def changes(notes: Iterable[WatchUpdate]) -> list[tuple[str, str]]:
    return [(note.change, note.event.name) for note in notes if isinstance(note, Changed)]


async def test_whoever_adds_what_has_long_stood_waits_for_a_client_that_is_far_behind() -> None:
    watch = CoalescingQueue(RUN)
    for number in range(HIGH_WATER_ENTRIES):
        watch.put(event(str(number)))
    await asyncio.wait_for(watch.room(), TEST_TIMEOUT)
    watch.put(event("one more"))
    adding = asyncio.ensure_future(watch.room())
    await asyncio.sleep(0)
    assert not adding.done()
    watch.take()
    await asyncio.wait_for(adding, TEST_TIMEOUT)
    watch.put(event("and another"))
    cancelled = asyncio.ensure_future(watch.room())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait({cancelled})
    adding = asyncio.ensure_future(watch.room())
    await asyncio.sleep(0)
    taken(watch)
    await asyncio.wait_for(adding, TEST_TIMEOUT)


async def test_few_notes_that_weigh_much_are_far_behind_too() -> None:
    watch = CoalescingQueue(RUN)
    for number in range((HIGH_WATER_BYTES >> 20) + 1):
        watch.put(heavy(str(number)))
    adding = asyncio.ensure_future(watch.room())
    await asyncio.sleep(0)
    assert not adding.done()
    taken(watch)
    await asyncio.wait_for(adding, TEST_TIMEOUT)


async def test_news_is_told_of_once_there_is_something_to_take() -> None:
    watch = CoalescingQueue(RUN)
    news = watch.available()
    assert watch.available() is news
    assert not news.done()
    watch.put(event())
    watch.put(event("another"))
    assert news.done()
    assert watch.available().done()
    taken(watch)
    for act in (
        watch.sync,
        lambda: watch.disconnect(DOWN),
        watch.sync,
        lambda: watch.put(event("x")),
    ):
        news = watch.available()
        assert not news.done()
        act()
        assert news.done()
        taken(watch)
