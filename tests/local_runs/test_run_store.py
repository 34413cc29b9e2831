"""The stores that the local runs of one process use."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.errors import StoreBusy, StoreUnavailable
from flyte_sidecar.events.model import ABORTED, Event, NewEvent, Payload, Target
from flyte_sidecar.local_runs import run_store
from flyte_sidecar.local_runs.run_store import selected_store
from flyte_sidecar.server.settings import STORE_VARIABLE


def open_stores(folder: Path) -> set[str]:
    """Return the names of the stores in a folder that this process has open."""
    opened = (Path(file.path) for file in psutil.Process().open_files())
    return {
        path.name for path in opened if path.parent == folder.resolve() and path.suffix == ".db"
    }


async def test_a_store_is_closed_once_no_wait_uses_it_and_another_is_selected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "a.db"))
    async with selected_store() as first:
        await first.check()
        monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "b.db"))
        async with selected_store() as second:
            assert second is not first
            await second.check()
            assert open_stores(tmp_path) == {"a.db", "b.db"}
    for name in ("c.db", "d.db", "e.db"):
        monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / name))
        async with selected_store() as store:
            await store.check()
            assert open_stores(tmp_path) == {name}
    async with selected_store() as again:
        assert again is store


async def test_a_relative_path_leads_to_the_same_store_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(STORE_VARIABLE, "relative.db")
    async with selected_store() as first:
        monkeypatch.chdir("sub")
        async with selected_store() as second:
            assert second is first


async def test_an_end_that_a_locked_store_cannot_record_is_recorded_later(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_store, "WRITE_TIMEOUT", 0.05)
    runs = run_store.RunStore(str(store))
    new = NewEvent(run=run_store.LOCAL.run("r"), name="n", expected_type="int")
    event = await runs.create(new, "a0-cond-n-1")
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            await runs.signal(event, 7)
        other.execute("ROLLBACK")
    assert (await runs.resolved(event)).payload == 7
    await runs.close()


async def test_an_end_that_a_full_store_cannot_record_is_retried(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_store, "RETRY_DELAY", 0.01)
    runs = run_store.RunStore(str(store))
    new = NewEvent(run=run_store.LOCAL.run("r"), name="n", expected_type="int")
    event = await runs.create(new, "a0-cond-n-1")
    signal, attempts = LocalBackend.signal, []

    async def fail_once(self: LocalBackend, event: Event, payload: Payload) -> Event:
        attempts.append(payload)
        if len(attempts) == 1:
            raise StoreUnavailable("no room", reason="full", outcome="none")
        return await signal(self, event, payload)

    monkeypatch.setattr(LocalBackend, "signal", fail_once)
    assert (await runs.signal(event, 7)).payload == 7
    assert attempts == [7, 7]
    await runs.close()


async def test_the_default_path_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    for name in ("a", "b"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        monkeypatch.setenv("HOME", str(tmp_path / name))
        async with selected_store() as store:
            assert Path(store.path).is_relative_to(tmp_path / name)


async def test_an_event_is_aborted_if_the_wait_is_cancelled_while_it_is_created(
    store: Path,
) -> None:
    runs = run_store.RunStore(str(store))
    await runs.check()
    new = NewEvent(run=run_store.LOCAL.run("r"), name="n")
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        creating = asyncio.ensure_future(runs.create(new, "a0-cond-n-1"))
        await asyncio.sleep(0)
        await runs.check()  # the background loop has begun the creation before this
        creating.cancel()
        await runs.check()
        other.execute("ROLLBACK")
    with pytest.raises(asyncio.CancelledError):
        await creating
    backend = LocalBackend(store)
    event = await resolve(backend.find(Target(new.run, name="n")))
    assert event is not None
    assert (await backend.resolved(event)).phase == ABORTED
    await backend.close()
    await runs.close()


async def test_a_store_is_not_closed_before_the_end_of_a_wait_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_store, "WRITE_TIMEOUT", 0.05)
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "a.db"))
    async with selected_store() as first:
        new = NewEvent(run=run_store.LOCAL.run("r"), name="n")
        event = await first.create(new, "a0-cond-n-1")
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            await first.signal(event, True)
        monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "b.db"))
        async with selected_store():
            assert first.in_use
        other.execute("ROLLBACK")
    assert (await first.resolved(event)).payload is True
