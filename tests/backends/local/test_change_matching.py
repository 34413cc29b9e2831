"""Which changes a store reads for its waits and watches: only those that they will report."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.backends.local import LocalBackend, change_feed, mutations, reader
from flyte_sidecar.backends.local.damaged_events import DamagedEvent
from flyte_sidecar.backends.local.reader import ChangedRow
from flyte_sidecar.backends.local.writer import Mutation
from flyte_sidecar.events.model import SUCCEEDED, Event, NewEvent, Run
from tests.backends.local.conftest import Stores, make
from tests.backends.local.watching import Feeds
from tests.backends.local.worker_process import RUN
from tests.conftest import TEST_TIMEOUT

OTHERS = [Run(None, "local", "local", f"other{number}") for number in range(5)]
ELSEWHERE = Run(None, "local", "elsewhere", RUN.name)


class Counted:
    """Counts what the change feed of a store reads.

    Attributes
    ----------
    rows
        The changed rows that were selected.
    ranges
        The revisions between which changes were selected.
    decoded
        The names of the events that were read and decoded.
    pages
        How many events were read at once.
    """

    def __init__(self, backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0
        self.ranges: list[tuple[int, int]] = []
        self.decoded: list[str] = []
        self.pages: list[int] = []
        store = backend._reader
        assert store is not None
        changes, events = store.changes, store.events

        def counted_changes(after: int, until: int, runs: Any) -> list[ChangedRow]:
            found = changes(after, until, runs)
            self.ranges.append((after, until))
            self.rows += len(found)
            return found

        def counted_events(ids: list[int]) -> Iterator[tuple[int, Event | DamagedEvent]]:
            self.pages.append(0)
            for identity, event in events(ids):
                self.pages[-1] += 1
                assert isinstance(event, Event)
                self.decoded.append(event.name)
                yield identity, event

        monkeypatch.setattr(store, "changes", counted_changes)
        monkeypatch.setattr(store, "events", counted_events)


async def change_others(backend: LocalBackend, runs: list[Run], count: int = 20) -> None:
    """Create and answer events of other runs."""
    for run in runs:
        for number in range(count):
            new = NewEvent(run=run, name=f"of another run {number}")
            await backend.signal(await backend.create(new), True)


async def test_a_watch_of_one_run_reads_nothing_of_the_changes_of_other_runs(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches, writes = opened(store), opened(store)
    await make(writes, "first")
    watching = watched(watches)
    await watching.synced()
    counted = Counted(watches, monkeypatch)
    await change_others(writes, OTHERS[:3])
    await change_others(watches, OTHERS[3:])
    await make(writes, "second")
    await watching.pending(["first", "second"])
    assert (counted.rows, counted.decoded) == (1, ["second"])
    # No change is passed over twice.
    assert [after for after, _ in counted.ranges[1:]] == [until for _, until in counted.ranges[:-1]]


async def test_a_wait_reads_nothing_of_other_runs_and_decodes_no_other_event(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, writes = opened(store), opened(store)
    event, another = await make(waits), await make(waits, "another")
    waiting = asyncio.ensure_future(waits.resolved(event))
    await asyncio.sleep(0)
    counted = Counted(waits, monkeypatch)
    await change_others(writes, OTHERS)
    await writes.signal(another, True)
    answered = await writes.signal(event, True)
    assert await asyncio.wait_for(waiting, TEST_TIMEOUT) == answered
    assert counted.rows == 2
    assert counted.decoded == [event.name]


async def test_a_watch_of_pending_events_decodes_only_what_it_reports(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches, writes = opened(store), opened(store)
    event = await make(writes, "reported")
    inbox = watched(watches, None)
    await inbox.pending(["reported"])
    counted = Counted(watches, monkeypatch)
    await change_others(writes, [ELSEWHERE])
    for number in range(20):
        await writes._change(create_and_signal(f"resolved at once {number}"))
    await writes.signal(event, True)
    await inbox.pending([])
    assert counted.decoded == ["reported"]
    assert inbox.picture.changes() == [("created", "reported"), ("resolved", "reported")]


def create_and_signal(name: str) -> Mutation[Event]:
    """Return a mutation after which the event was never pending for anybody else."""
    create = mutations.create(NewEvent(run=RUN, name=name))
    return lambda db: mutations.signal(create(db), True)(db)


async def test_the_events_of_a_run_that_is_created_later_arrive(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    watches, writes = opened(store), opened(store)
    feeds = [watched(watches, run.name) for run in OTHERS]
    for watching in feeds:
        await watching.synced()
    await change_others(writes, OTHERS, 1)
    for watching in feeds:
        await watching.until(lambda picture: len(picture.events) == 1 and not picture.pending())


@pytest.mark.parametrize("max_runs", [0, 2, 100])
async def test_changes_of_many_runs_all_arrive_in_order(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch, max_runs: int
) -> None:
    monkeypatch.setattr(change_feed, "MAX_SELECTED_RUNS", max_runs)
    monkeypatch.setattr(reader, "BATCH_EVENTS", 4)
    watches, writes = opened(store), opened(store)
    await change_others(writes, OTHERS, 1)
    feeds = [watched(watches, run.name) for run in OTHERS[:3]]
    for watching in feeds:
        await watching.synced()
    new = [NewEvent(run=run, name=f"q{number}") for number in range(30) for run in OTHERS]
    await asyncio.gather(*map(writes.create, new))
    names = [f"q{number}" for number in range(30)]
    for watching in feeds:
        picture = await watching.pending(names)
        assert picture.changes()[-30:] == [("created", name) for name in names]


async def test_large_changes_are_read_one_after_another(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH_BYTES", 5000)
    watches, writes = opened(store), opened(store)
    watching = watched(watches)
    await watching.synced()
    counted = Counted(watches, monkeypatch)
    names = [f"q{number}" for number in range(10)]
    await asyncio.gather(*(make(writes, name, prompt="x" * 5000) for name in names))
    await watching.pending(names)
    assert counted.pages == [1] * 10


async def test_a_change_arrives_though_the_row_of_its_run_is_damaged(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    watches, writes = opened(store), opened(store)
    event = await make(writes)
    watching, inbox = watched(watches), watched(watches, None)
    await watching.synced()
    await inbox.pending(["q"])
    db = sqlite3.connect(store)
    db.execute("UPDATE run SET name = CAST(x'ff' AS TEXT)")
    document = db.execute("SELECT document FROM event").fetchone()[0]
    answered = document.replace("PAUSED", SUCCEEDED).replace('"pending":true', '"pending":false')
    answered = answered.replace('"payload":null', '"payload":true')
    db.execute("UPDATE event SET phase = ?, document = ?, revision = 2", (SUCCEEDED, answered))
    db.commit()
    db.close()
    for feed in (watching, inbox):
        await feed.until(lambda picture: picture.changes()[-1:] == [("resolved", event.name)])


async def test_a_change_feed_caches_a_bounded_number_of_runs(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "RUN_CACHE_SIZE", 3)
    watches, writes = opened(store), opened(store)
    inbox = watched(watches, None)
    await inbox.synced()
    await asyncio.gather(*(writes.create(NewEvent(run=run, name=run.name)) for run in OTHERS))
    await inbox.pending(run.name for run in OTHERS)
    assert watches._reader is not None
    assert len(watches._reader._runs) <= 3
