"""Watches of a store that other processes write to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import pytest

from flyte_sidecar.backends.local import reader, rows
from flyte_sidecar.backends.local.change_feed import ChangeFeed
from flyte_sidecar.events.coalescing import HIGH_WATER_BYTES, HIGH_WATER_ENTRIES
from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, Event
from tests.backends.local.conftest import Stores, Worker, make
from tests.backends.local.watching import Feeds, current_events, ended, line, reported_as
from tests.backends.local.worker_process import RUN
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import Watching, settle

PROCESSES, EVENTS = 50, 40


# Changes of other processes.


async def test_changes_of_other_processes_arrive(
    opened: Stores, watched: Feeds, worker: Worker, store: Path
) -> None:
    backend = opened(store)
    watching, inbox = watched(backend), watched(backend, None)
    await watching.synced()
    await inbox.synced()
    acknowledged: dict[str, int] = {}
    processes = [worker("signal_on", store) for _ in range(3)]
    for _ in range(20):
        for process in processes:
            name, output = (await line(process)).split()
            acknowledged[name] = int(output)
    for process in processes:
        process.kill()
        await asyncio.to_thread(process.wait)
    picture = await watching.until(
        lambda picture: all(
            name in picture.named() and not picture.named()[name].pending for name in acknowledged
        )
    )
    for name, value in acknowledged.items():
        event = picture.named()[name]
        assert (event.phase, event.payload) == (SUCCEEDED, value)
    true = await current_events(backend)
    await watching.until(lambda picture: picture.named() == true)
    await inbox.pending(name for name, event in true.items() if event.pending)


async def test_all_changes_of_50_racing_processes_arrive(
    opened: Stores, watched: Feeds, worker: Worker, store: Path
) -> None:
    assert await line(worker("fill", store, EVENTS)) == "filled\n"
    backend = opened(store)
    watching, inbox = watched(backend), watched(backend, None)
    await watching.synced()
    assert len((await inbox.synced()).pending()) == EVENTS
    racing = [worker("race", store, EVENTS, mine) for mine in range(PROCESSES)]
    for process in racing:
        assert await line(process) == "ready\n"
    for process in racing:
        process.stdin.write("go\n")
        process.stdin.flush()
    picture = await watching.until(lambda picture: ended(picture) == EVENTS)
    await inbox.pending([])
    values: dict[str, set[Any]] = {}
    for process in racing:
        output, _ = await asyncio.to_thread(process.communicate, timeout=TEST_TIMEOUT)
        for line_ in output.splitlines():
            number, _, reported = map(int, line_.split())
            values.setdefault(f"q{number}", set()).add(reported)
    assert {name: {event.payload} for name, event in picture.named().items()} == values
    assert [change for change, _ in picture.changes()] == ["created"] * EVENTS + [
        "resolved"
    ] * EVENTS
    assert sorted(inbox.picture.changes()) == sorted(picture.changes())


async def test_a_change_at_any_moment_between_two_polls_arrives(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    # Another store of this process shares nothing but the file.
    watches, writes = opened(store), opened(store)
    watching = watched(watches)
    await watching.synced()
    for number in range(40):
        event = await make(writes, f"q{number}")
        await asyncio.sleep(0.001 * number)
        reported = await writes.signal(event, True)
        await reported_as(watching, reported)


async def test_a_watch_opened_while_others_write_misses_nothing(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH_EVENTS", 3)
    watches, writes = opened(store), opened(store)
    for number in range(30):
        await make(writes, f"q{number}")

    async def disturb() -> None:
        events = list((await current_events(writes)).values())
        for number, event in enumerate(events):
            await (writes.signal(event, True) if number % 2 else writes.abort(event, None))
            await make(writes, f"more{number}")

    disturbing = asyncio.ensure_future(disturb())
    feeds: list[Watching] = []
    while not disturbing.done():
        feeds.append(watched(watches, None if len(feeds) % 2 else RUN.name))
        await feeds[-1].synced()
    await disturbing
    true = await current_events(writes)
    pending = {name for name, event in true.items() if event.pending}
    for number, watching in enumerate(feeds):
        picture = await watching.pending(pending)
        if number % 2 == 0:
            await watching.until(lambda picture: picture.named() == true)
        assert all(true[name] == event for name, event in picture.named().items())


async def test_more_changes_than_are_read_at_once_all_arrive_in_their_order(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH_EVENTS", 4)
    watches, writes = opened(store), opened(store)
    watching = watched(watches)
    await watching.synced()
    await asyncio.gather(*(make(writes, f"q{number}") for number in range(100)))
    names = [f"q{number}" for number in range(100)]
    picture = await watching.pending(names)
    assert picture.changes() == [("created", name) for name in names]


async def test_large_changes_all_arrive(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH_BYTES", 5000)
    watches, writes = opened(store), opened(store)
    watching = watched(watches)
    await watching.synced()
    events = [await make(writes, f"q{number}", expected_type="str") for number in range(20)]
    reported = {event.name: await writes.signal(event, "é\0" * 2000) for event in events}
    await watching.until(lambda picture: picture.named() == reported)


async def test_current_events_are_reported_in_full_to_a_client_that_reads(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    writes = opened(store)
    text = "x" * (1 << 20)
    reported = []
    for number in range(2 * (HIGH_WATER_BYTES >> 20)):
        event = await make(writes, f"q{number}", expected_type="str")
        reported.append(await writes.signal(event, text))
    watching = watched(opened(store))
    picture = await watching.synced()
    assert list(picture.events.values()) == reported


async def test_few_current_events_are_queued_for_a_client_that_does_not_read(
    opened: Stores, watched: Feeds, worker: Worker, store: Path
) -> None:
    assert await line(worker("fill", store, 3 * HIGH_WATER_ENTRIES)) == "filled\n"
    backend = opened(store)
    watching = watched(backend)
    await current_events(backend)
    await settle(100)
    assert (
        HIGH_WATER_ENTRIES < len(watching.watch._queue) <= HIGH_WATER_ENTRIES + reader.BATCH_EVENTS
    )
    picture = await watching.synced()
    assert picture.changes() == [
        ("created", f"q{number}") for number in range(3 * HIGH_WATER_ENTRIES)
    ]


async def test_changes_stay_in_the_store_while_a_client_does_not_read(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    backend = opened(store)
    watching = watched(backend)
    await watching.synced()
    large = "x" * (1 << 20)
    count = 3 * (HIGH_WATER_BYTES >> 20)
    for number in range(count):
        await make(backend, f"q{number}", prompt=large)
    held = watching.watch._queue
    assert HIGH_WATER_BYTES >> 20 <= len(held) < count // 2
    picture = await watching.until(lambda picture: len(picture.events) == count)
    assert picture.changes() == [("created", f"q{number}") for number in range(count)]


async def test_watches_of_clients_that_do_not_read_hold_each_event_once(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(store)
    for number in range(10):
        await make(backend, f"q{number}")
    decode, decoded = rows.decode_event, list[ReferenceType[Event]]()

    def recorded(document: Any) -> Event:
        event = decode(document)
        decoded.append(ref(event))
        return event

    monkeypatch.setattr(rows, "decode_event", recorded)
    for _ in range(5):
        watched(backend)
    await settle(100)
    await watched(backend).synced()
    assert len(decoded) == 60
    assert sum(event() is not None for event in decoded) == 10


async def test_an_expiry_is_reported_to_every_process_that_watches(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backends = [opened(store), opened(store), opened(store)]
    feeds = [watched(backends[0]), watched(backends[1], None), watched(backends[2])]
    for watching in feeds:
        await watching.synced()
    event = await make(backends[2], expires_in=3600)
    for watching in feeds:
        await watching.pending(["q"])
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    for watching in feeds:
        picture = await watching.pending([])
        reported = picture.named()["q"]
        assert (reported.phase, reported.ended_at) == (TIMED_OUT, event.expires_at)
        assert picture.changes() == [("created", "q"), ("resolved", "q")]
    monkeypatch.setattr(rows, "now", real)  # the clock is set back, and no expiry is reverted
    later = await make(backends[2], "later")
    for watching in feeds:
        await watching.pending(["later"])
        assert watching.picture.changes()[-1] == ("created", "later")
    await backends[2].abort(later, None)


async def test_an_event_that_expired_before_a_watch_is_reported_as_expired(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(opened(store), expires_in=3600)
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    backend = opened(store)
    picture = await watched(backend).synced()
    assert picture.named()["q"].phase == TIMED_OUT
    assert picture.changes() == [("created", "q")]
    assert (await watched(backend, None).synced()).events == {}


# Polling.


async def until_polling_stops(changes: ChangeFeed) -> None:
    async with asyncio.timeout(TEST_TIMEOUT):
        while changes._timer is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_polling_stops_when_the_last_watch_has_ended(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    backend = opened(store)
    event = await make(backend)
    feeds = [watched(backend), watched(backend, None)]
    for watching in feeds:
        await watching.synced()
    waiting = asyncio.ensure_future(backend.resolved(event))
    await settle()
    changes = backend._changes
    assert changes is not None
    for watching in feeds:
        assert changes._timer is not None
        await watching.close()
    assert changes._timer is not None
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not changes._watches
    await until_polling_stops(changes)
    watching = watched(backend)  # and it starts again
    await watching.synced()
    await make(opened(store), "another")
    await watching.pending(["q", "another"])


async def test_a_watch_that_ends_leaves_the_others_open(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    watches, writes = opened(store), opened(store)
    feeds = [watched(watches) for _ in range(4)]
    for watching in feeds:
        await watching.synced()
    for watching in feeds[::2]:
        await watching.close()
    await make(writes)
    for watching in feeds[1::2]:
        await watching.pending(["q"])
    for watching in feeds[::2]:
        watching.take()
        assert watching.picture.events == {}


async def test_closing_a_store_ends_its_watches(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    backend = opened(store)
    watching = watched(backend)
    await watching.synced()
    await backend.close()
    assert (await watching.error()).kind == "shutting_down"
