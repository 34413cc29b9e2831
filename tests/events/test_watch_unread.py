"""The queue of a watch whose client does not read, or reads slowly."""

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
from tests.events.watch_updates import AGAIN, DOWN, RUN, answered, event, synced, take_all


def test_only_the_latest_unread_state_is_reported_at_the_position_of_the_first() -> None:
    watch = CoalescingQueue(RUN)
    for number in range(100):
        for name in "abc":
            watch.put(event(name, prompt=str(number)))
    watch.put(answered(event("b")))
    assert take_all(watch) == [
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
    reported = [Changed("created", event(prompt="9999")), Synced(), Disconnected(DOWN), AGAIN]
    assert take_all(watch) == reported
    for _ in range(10_000):
        watch.disconnect(DOWN)
        watch.sync()
        assert len(watch._queue) <= 2
    assert take_all(watch) == [Disconnected(DOWN), AGAIN]


def test_an_event_that_changes_continuously_does_not_delay_the_others() -> None:
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


def test_above_the_high_water_mark_resolved_events_are_queued_without_details() -> None:
    watch = CoalescingQueue(RUN)
    count = 2 * (HIGH_WATER_BYTES >> 20)
    for number in range(count):
        watch.put(ended(heavy(str(number))))
    watch.put(event("waits"))
    notes = take_all(watch)
    reported = [note.event for note in notes if isinstance(note, Changed)]
    assert len(reported) == count + 1
    assert reported[0] == ended(heavy("0"))
    assert reported[-1] == event("waits")
    light = reported[-2]
    assert light.partial
    assert (light.payload, light.prompt, light.prompt_type, light.description) == (None,) * 4
    assert (light.name, light.expected_type, light.phase) == (str(count - 1), "str", SUCCEEDED)
    assert sum(len(str(one.payload)) for one in reported) < HIGH_WATER_BYTES + (2 << 20)


def test_entries_that_were_read_no_longer_count_as_queued_bytes() -> None:
    watch = CoalescingQueue(RUN)
    for number in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(ended(heavy(str(number))))
        (note,) = take_all(watch)
        assert isinstance(note, Changed)
        assert not note.event.partial


def test_replaced_and_removed_states_no_longer_count_as_queued_bytes() -> None:
    watch = CoalescingQueue(RUN)
    for _ in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(heavy("same"))
    for number in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(heavy(f"gone{number}"))
        watch.remove(heavy(f"gone{number}"))
    watch.put(ended(heavy("last")))
    last = take_all(watch)[-1]
    assert last == Changed("created", ended(heavy("last")))


def test_an_end_reported_in_full_is_not_reported_again_with_less() -> None:
    done = ended(heavy("done"))
    watch = synced(RUN, done)
    for number in range(2 * (HIGH_WATER_BYTES >> 20)):
        watch.put(heavy(str(number)))
    watch.put(done)
    assert ("updated", "done") not in changes(take_all(watch))


def changes(notes: Iterable[WatchUpdate]) -> list[tuple[str, str]]:
    return [(note.change, note.event.name) for note in notes if isinstance(note, Changed)]


async def test_a_backend_pauses_current_events_for_a_client_that_is_far_behind() -> None:
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
    take_all(watch)
    await asyncio.wait_for(adding, TEST_TIMEOUT)


async def test_a_few_large_entries_are_far_behind_too() -> None:
    watch = CoalescingQueue(RUN)
    for number in range((HIGH_WATER_BYTES >> 20) + 1):
        watch.put(heavy(str(number)))
    adding = asyncio.ensure_future(watch.room())
    await asyncio.sleep(0)
    assert not adding.done()
    take_all(watch)
    await asyncio.wait_for(adding, TEST_TIMEOUT)


async def test_available_is_done_once_there_is_something_to_take() -> None:
    watch = CoalescingQueue(RUN)
    news = watch.available()
    assert watch.available() is news
    assert not news.done()
    watch.put(event())
    watch.put(event("another"))
    assert news.done()
    assert watch.available().done()
    take_all(watch)
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
        take_all(watch)
