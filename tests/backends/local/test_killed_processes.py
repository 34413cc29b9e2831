"""Stores after a process was killed."""

from __future__ import annotations

import asyncio
import shutil
import signal as signals
import sqlite3
import time
from pathlib import Path

import pytest

from flyte_sidecar.backends.local import LocalBackend, migrations
from flyte_sidecar.events.model import SUCCEEDED
from tests.backends.local.conftest import Stores, Worker, get, make
from tests.conftest import TEST_TIMEOUT


@pytest.mark.posix
async def test_an_acknowledged_signal_survives_a_kill(worker: Worker, store: Path) -> None:
    values: dict[str, int] = {}
    for turn in range(8):
        process = worker("signal_on", store)
        for _ in range(1 + turn * 3):
            name, value = process.stdout.readline().split()
            values[name] = int(value)
        process.send_signal(signals.SIGKILL)
        for line in process.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                name, value = line.split()
                values[name] = int(value)
        process.wait(TEST_TIMEOUT)

    backend = LocalBackend(store)
    for name, value in values.items():
        found = await get(backend, name)
        assert found is not None
        assert (found.phase, found.payload) == (SUCCEEDED, value)
    await backend.close()


async def test_a_kill_while_a_store_is_created_leaves_one_that_opens(
    worker: Worker, tmp_path: Path
) -> None:
    for turn in range(12):
        store = tmp_path / str(turn) / "events.db"
        process = worker("create", store, "q")
        deadline = time.monotonic() + TEST_TIMEOUT
        while not store.exists() and process.poll() is None and time.monotonic() < deadline:
            pass
        await asyncio.sleep(turn % 5 * 0.0005)
        process.kill()
        process.wait(TEST_TIMEOUT)
        backend = LocalBackend(store)
        await make(backend, "again")
        await backend.close()


async def test_an_interrupted_first_transaction_is_rolled_back(
    opened: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pages are in the file, and the journal that marks them as uncommitted is beside it.
    made = tmp_path / "made" / "events.db"
    made.parent.mkdir()
    db = sqlite3.connect(made, isolation_level=None)
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN")
    for statement in migrations.MIGRATIONS[0]:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
    db.execute("CREATE TABLE filler (x)")
    db.executemany("INSERT INTO filler VALUES (?)", [("x" * 4000,)] * 50)
    broken = tmp_path / "broken"
    shutil.copytree(made.parent, broken)
    db.close()
    assert (broken / "events.db-journal").stat().st_size > 0
    await make(opened(broken / "events.db"))
    assert await get(opened(broken / "events.db")) is not None
    assert not (broken / "events.db-journal").exists()
