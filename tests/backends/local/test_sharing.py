# ruff: noqa: ASYNC240 - what blocks the loop of a test blocks nobody
"""One store, many processes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend, open_file, rows
from flyte_sidecar.errors import CursorExpired, StoreBusy, StoreUnavailable
from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, Query
from tests.backends.local.conftest import Stores, Worker, get, lose, make
from tests.backends.local.worker_process import RUN
from tests.conftest import TEST_TIMEOUT

PROCESSES, EVENTS = 50, 200


def test_one_of_50_racing_processes_wins_each_event_and_the_others_get_its_value(
    worker: Worker, store: Path
) -> None:
    assert worker("fill", store, EVENTS).stdout.readline() == "filled\n"
    racing = [worker("race", store, EVENTS, mine) for mine in range(PROCESSES)]
    for process in racing:
        assert process.stdout.readline() == "ready\n"
    for process in racing:
        process.stdin.write("go\n")
        process.stdin.flush()
    reported: dict[int, set[int]] = {number: set() for number in range(EVENTS)}
    winners: dict[int, int] = {}
    for mine, process in enumerate(racing):
        lines = process.communicate(timeout=TEST_TIMEOUT)[0].splitlines()
        assert len(lines) == EVENTS
        for line in lines:
            number, won, value = map(int, line.split())
            reported[number].add(value)
            if won:
                assert value == mine
                assert number not in winners
                winners[number] = mine
    assert reported == {number: {winner} for number, winner in winners.items()}
    assert len(winners) == EVENTS


def test_processes_that_create_a_store_concurrently_all_succeed(
    worker: Worker, tmp_path: Path
) -> None:
    for turn in range(5):
        store = tmp_path / f"folder{turn}" / "events.db"
        making = [worker("create", store, number) for number in range(6)]
        for process in making:
            assert process.communicate(timeout=TEST_TIMEOUT)[0].startswith("created ")
        db = sqlite3.connect(store)
        assert db.execute("SELECT count(*) FROM event").fetchone() == (6,)
        assert db.execute("SELECT count(*) FROM store").fetchone() == (1,)
        db.close()


async def test_threads_that_create_a_store_concurrently_all_succeed(tmp_path: Path) -> None:
    for turn in range(30):
        store = tmp_path / f"{turn}.db"
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=_make_one, args=(store, str(number), failures))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert failures == []


def _make_one(store: Path, name: str, failures: list[BaseException]) -> None:
    async def body() -> None:
        backend = LocalBackend(store)
        await make(backend, name)
        await backend.close()

    try:
        asyncio.run(body())
    except BaseException as error:
        failures.append(error)


async def test_two_loops_one_after_another_use_one_store(store: Path) -> None:
    failures: list[BaseException] = []
    for number in range(3):
        thread = threading.Thread(target=_make_one, args=(store, str(number), failures))
        thread.start()
        thread.join(30)
    assert failures == []


async def test_closing_one_of_two_stores_of_a_process_keeps_the_locks_of_the_other(
    opened: Stores, worker: Worker, store: Path
) -> None:
    # With the locks gone, the next process to close the store would delete its log.
    first = opened(store)
    await make(first, "before")
    for _ in range(3):
        second = LocalBackend(store)
        await get(second)
        await second.close()
        log = os.stat(f"{store}-wal").st_ino
        assert worker("checkpoint", store).communicate(timeout=TEST_TIMEOUT)[0] == "True True\n"
        assert os.stat(f"{store}-wal").st_ino == log
    await make(first, "after")
    process = worker("create", store, "elsewhere")
    assert process.communicate(timeout=TEST_TIMEOUT)[0].startswith("created")
    await first.close()
    other = opened(store)
    for name in ("before", "after", "elsewhere"):
        assert await get(other, name) is not None


async def test_a_lock_held_past_the_timeout_is_reported_as_busy_and_nothing_has_happened(
    opened: Stores, worker: Worker, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_file, "BUSY_TIMEOUT", 0.2)
    backend = opened(store)
    event = await make(backend)
    holder = worker("hold", store)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreBusy) as refused:
        await backend.signal(event, True)
    assert refused.value.data == {"outcome": "none"}
    assert refused.value.retryable
    assert await get(backend) == event
    holder.communicate("go\n", timeout=TEST_TIMEOUT)
    assert (await backend.signal(event, True)).phase == SUCCEEDED


async def test_a_lock_that_is_released_in_time_only_delays_a_write(
    opened: Stores, worker: Worker, store: Path
) -> None:
    backend = opened(store)
    event = await make(backend)
    holder = worker("hold", store)
    assert holder.stdout.readline() == "held\n"
    signalling = asyncio.ensure_future(backend.signal(event, True))
    await asyncio.sleep(0.1)
    assert not signalling.done()
    assert await get(backend) == event  # and no read
    holder.communicate("go\n", timeout=TEST_TIMEOUT)
    assert (await signalling).phase == SUCCEEDED


async def test_a_read_that_meets_a_lock_is_retried_without_blocking_the_loop(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    event = await make(backend)
    holder = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    await backend.close()
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    reading = asyncio.ensure_future(get(backend))
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert not reading.done()
    holder.execute("COMMIT")
    holder.close()
    assert await reading == event


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_replaced_store_acknowledges_no_write_and_the_next_one_serves(
    opened: Stores, store: Path, how: str, suffix: str
) -> None:
    backend = opened(store)
    event = await make(backend)
    waiting = asyncio.ensure_future(backend.resolved(event))
    await asyncio.sleep(0)
    lose(Path(f"{store}{suffix}"), how)
    with pytest.raises(StoreUnavailable) as refused:
        await backend.signal(event, True)
    assert refused.value.data["reason"] == "replaced"
    with pytest.raises(StoreUnavailable) as ended:
        await waiting
    assert ended.value.data["reason"] == "replaced"
    if suffix == "":
        await make(backend, "next")
        assert await get(opened(store), "next") is not None


async def test_a_wait_fails_when_its_store_is_replaced(opened: Stores, store: Path) -> None:
    backend = opened(store)
    waiting = asyncio.ensure_future(backend.resolved(await make(backend)))
    await asyncio.sleep(0)
    store.unlink()
    with pytest.raises(StoreUnavailable) as ended:
        await asyncio.wait_for(waiting, TEST_TIMEOUT)
    assert ended.value.data["reason"] == "replaced"
    assert await get(backend) is None


async def test_a_wait_ends_with_a_signal_at_any_moment_between_two_polls(
    opened: Stores, store: Path
) -> None:
    # Another store of this process shares nothing but the file.
    waits, signals_ = opened(store), opened(store)
    for number in range(40):
        event = await make(waits, f"q{number}")
        waiting = asyncio.ensure_future(waits.resolved(event))
        await asyncio.sleep(0.001 * number)
        reported = await signals_.signal(event, True)
        assert await waiting == reported


async def test_a_wait_continues_if_a_poll_meets_a_lock(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, other = opened(store), opened(store)
    event = await make(waits)
    waiting = asyncio.ensure_future(waits.resolved(event))
    await asyncio.sleep(0)
    assert waits._reader is not None
    changes = waits._reader.changes
    locked = sqlite3.OperationalError("locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    failures = [locked, locked]

    def read_or_fail(*arguments: object) -> object:
        if failures:
            raise failures.pop()
        return changes(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(waits._reader, "changes", read_or_fail)
    reported = await other.signal(event, True)
    assert await asyncio.wait_for(waiting, TEST_TIMEOUT) == reported
    assert failures == []


async def test_a_wait_ends_with_an_error_if_the_store_fails(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, other = opened(store), opened(store)
    event = await make(waits)
    waiting = asyncio.ensure_future(waits.resolved(event))
    await asyncio.sleep(0)
    assert waits._reader is not None

    def fail(*_: object) -> object:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(waits._reader, "changes", fail)
    await other.signal(event, True)
    with pytest.raises(StoreUnavailable) as ended:
        await asyncio.wait_for(waiting, TEST_TIMEOUT)
    assert ended.value.data["reason"] == "io"


async def test_polling_stops_when_nobody_waits(opened: Stores, store: Path) -> None:
    backend = opened(store)
    event = await make(backend)
    waiting = asyncio.ensure_future(backend.resolved(event))
    await asyncio.sleep(0)
    changes = backend._changes
    assert changes is not None
    assert changes._timer is not None
    waiting.cancel()
    await asyncio.wait({waiting})
    async with asyncio.timeout(TEST_TIMEOUT):
        while changes._timer is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_event_that_expired_while_no_process_ran_is_timed_out(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LocalBackend(store)
    event = await make(backend, expires_in=3600)
    await backend.close()
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    found = await get(opened(store))
    assert found is not None
    assert (found.phase, found.ended_at) == (TIMED_OUT, event.expires_at)
    monkeypatch.setattr(rows, "now", real)  # the clock is set back, and another process reads
    assert await get(opened(store)) == found


async def test_a_cursor_of_another_store_is_expired(opened: Stores, tmp_path: Path) -> None:
    one, other = opened(tmp_path / "one.db"), opened(tmp_path / "other.db")
    for backend in (one, other):
        for number in range(3):
            await make(backend, f"q{number}")
    cursor = (await resolve(one.page(Query(run=RUN, limit=1)))).next_cursor
    with pytest.raises(CursorExpired):
        await resolve(other.page(Query(run=RUN, cursor=cursor)))
