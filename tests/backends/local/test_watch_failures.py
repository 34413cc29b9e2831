# ruff: noqa: ASYNC240 - what blocks the loop of a test blocks nobody
"""Watches of a store that is replaced, locked, or too new."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from flyte_sidecar.backends.local import listings, migrations, mutations, open_file, reader
from flyte_sidecar.errors import StoreUnavailable
from flyte_sidecar.events.coalescing import HIGH_WATER_ENTRIES
from flyte_sidecar.events.model import ABORTED, SUCCEEDED
from tests.backends.local.conftest import Stores, Worker, lose, make
from tests.backends.local.watching import Feeds, current_events, ended, line, reported_as
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import settle


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_replaced_store_ends_its_watches(
    opened: Stores, watched: Feeds, store: Path, how: str, suffix: str
) -> None:
    backend = opened(store)
    await make(backend)
    feeds = [watched(backend), watched(backend, None), watched(backend, "unknown")]
    for watching in feeds:
        await watching.synced()
    lose(Path(f"{store}{suffix}"), how)
    for watching in feeds:
        error = await watching.error()
        assert isinstance(error, StoreUnavailable)
        assert error.data["reason"] == "replaced"
    if suffix == "":
        next_ = watched(backend)
        await next_.synced()
        await make(backend, "next")
        await next_.until(lambda picture: "next" in picture.named())


async def test_a_watch_whose_store_is_replaced_before_all_is_reported_never_syncs(
    opened: Stores, watched: Feeds, worker: Worker, store: Path
) -> None:
    assert await line(worker("fill", store, 2 * HIGH_WATER_ENTRIES)) == "filled\n"
    backend = opened(store)
    watching = watched(backend)
    await current_events(backend)
    await settle(100)
    other = opened(store.parent / "other.db")
    await make(other, "of another store")
    await other.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{store}{suffix}").unlink()
    (store.parent / "other.db").replace(store)
    with pytest.raises(StoreUnavailable) as refused:
        await backend._change(mutations.expire)
    assert refused.value.data["reason"] == "replaced"
    with pytest.raises(StoreUnavailable):
        await watching.until(lambda picture: picture.synced)
    assert "of another store" not in watching.picture.named()


async def test_a_migration_by_a_newer_release_ends_a_watch(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    backend = opened(store)
    await make(backend)
    watching = watched(backend)
    await watching.synced()
    newer = sqlite3.connect(store, isolation_level=None)
    newer.execute("BEGIN IMMEDIATE")
    newer.execute("ALTER TABLE event RENAME TO happening")
    newer.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    newer.execute("COMMIT")
    newer.close()
    error = await watching.error()
    assert isinstance(error, StoreUnavailable)
    assert error.data["reason"] == "newer"
    again = await watched(backend).error()
    assert isinstance(again, StoreUnavailable)
    assert again.data["reason"] == "newer"


async def test_a_store_that_cannot_be_opened_fails_a_watch(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    store.write_text("something else entirely")
    error = await watched(opened(store)).error()
    assert isinstance(error, StoreUnavailable)
    assert error.data["reason"] == "not_a_store"


async def test_a_locked_store_delays_changes_and_loses_none(
    opened: Stores, watched: Feeds, worker: Worker, store: Path
) -> None:
    backend = opened(store)
    events = [await make(backend, f"q{number}") for number in range(20)]
    watching = watched(backend)
    await watching.synced()
    holder = worker("hold", store)
    assert await line(holder) == "held\n"
    late = watched(backend)
    assert len((await late.synced()).pending()) == 20
    writing = asyncio.gather(
        *(backend.signal(event, True) for event in events[:10]),
        *(backend.abort(event, None) for event in events[10:]),
    )
    await settle(20)
    watching.take()
    assert ended(watching.picture) == 0
    await asyncio.to_thread(holder.communicate, "go\n", timeout=TEST_TIMEOUT)
    reported = await writing
    assert [event.phase for event in reported] == [SUCCEEDED] * 10 + [ABORTED] * 10
    for watch in (watching, late):
        await watch.until(lambda picture: list(picture.named().values()) == reported)


READS = (
    *((reader.StoreReader, name) for name in ("changes", "next_expiry", "data_version")),
    *((reader.StoreReader, name) for name in ("recheck", "revision")),
    (listings, "watched"),
)


@pytest.mark.parametrize(("owner", "name"), READS)
async def test_a_read_that_meets_a_lock_loses_no_change(
    opened: Stores,
    watched: Feeds,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
) -> None:
    watches, writes = opened(store), opened(store)
    await make(watches, "before")
    locked = sqlite3.OperationalError("locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    read = getattr(owner, name)
    turns = 0

    def read_or_fail(*arguments: object) -> object:
        nonlocal turns
        turns += 1
        if turns % 2:
            raise locked
        return read(*arguments)

    monkeypatch.setattr(owner, name, read_or_fail)
    watching = watched(watches)
    await watching.synced()
    for number in range(5):
        for backend in (watches, writes):
            event = await make(backend, f"q{number}{backend is writes}", expires_in=3600)
            await watching.pending(watching.picture.pending() | {event.name})
            reported = await backend.signal(event, True)
            await reported_as(watching, reported)
    assert turns > 0
    assert watching.picture.pending() == {"before"}


async def test_a_store_that_fails_ends_a_watch_with_the_reason(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches, writes = opened(store), opened(store)
    watching = watched(watches)
    await watching.synced()

    def fail(*_: object) -> object:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(watches._reader, "changes", fail)
    await make(writes)
    error = await watching.error()
    assert isinstance(error, StoreUnavailable)
    assert error.data["reason"] == "io"


async def test_a_lock_past_the_timeout_fails_a_watch_that_is_not_synced(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(store)
    await make(backend)
    locked = sqlite3.OperationalError("locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY

    def meet_a_lock(*_: object) -> object:
        raise locked

    with monkeypatch.context() as patch:
        patch.setattr(open_file, "BUSY_TIMEOUT", 0.2)
        patch.setattr(listings, "watched", meet_a_lock)
        error = await watched(backend).error()
    assert error.kind == "store_busy"
    assert error.retryable
    await watched(backend).pending(["q"])
