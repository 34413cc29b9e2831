# ruff: noqa: ASYNC240 - what blocks the loop of a test blocks nobody
"""Which files are accepted as a store, and that rejected files are not modified."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.backends.local import LocalBackend, migrations
from flyte_sidecar.errors import EventExists, StoreUnavailable
from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, NewEvent
from tests.backends.local.conftest import Stores, Worker, get, make, signal, snapshot
from tests.backends.local.worker_process import RUN
from tests.conftest import IS_ROOT, TEST_TIMEOUT

EXTRA = ("CREATE TABLE later (x TEXT) STRICT",)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def refusal(backend: LocalBackend) -> dict[str, Any]:
    """Return the data of the error with which both a read and a write fail."""
    with pytest.raises(StoreUnavailable) as reading:
        await get(backend)
    with pytest.raises(StoreUnavailable) as writing:
        await make(backend)
    assert reading.value.data == writing.value.data
    assert backend.path in reading.value.message
    return writing.value.data


@pytest.fixture
def migrated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that switches between this release and one with one more migration."""
    ours = migrations.MIGRATIONS

    def switch(newer: bool) -> None:
        releases = (*ours, *([EXTRA] if newer else []))
        monkeypatch.setattr(migrations, "MIGRATIONS", releases)
        monkeypatch.setattr(migrations, "VERSION", len(releases))

    return switch


async def test_a_store_and_its_folder_are_private(opened: Stores, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = tmp_path / "some" / "folder" / "events.db"
        await make(opened(store))
        assert mode(store.parent) == 0o700
        assert [mode(path) for path in sorted(store.parent.iterdir())] == [0o600] * 3
    finally:
        os.umask(old)


@pytest.mark.posix
async def test_a_store_that_others_may_read_is_made_private(opened: Stores, store: Path) -> None:
    first = opened(store)
    await make(first)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{store}{suffix}").chmod(0o644)
    await get(opened(store))
    assert {mode(path) for path in store.parent.iterdir()} == {0o600}


async def test_nothing_is_opened_before_it_is_needed(opened: Stores, store: Path) -> None:
    backend = opened(store)
    assert not store.exists()
    assert await get(backend) is None
    assert store.exists()


async def test_closing_leaves_one_file_that_can_be_reopened(store: Path) -> None:
    for number in range(3):
        backend = LocalBackend(store)
        await make(backend, f"q{number}")
        assert await get(backend, "q0") is not None
        await backend.close()
        assert [path.name for path in store.parent.iterdir()] == [store.name]


async def test_a_closed_backend_opens_again(opened: Stores, store: Path) -> None:
    backend = opened(store)
    event = await make(backend)
    await backend.close()
    await backend.close()
    assert await get(backend) == event


async def test_an_empty_file_becomes_a_store(opened: Stores, store: Path) -> None:
    store.touch()
    await make(opened(store))
    assert await get(opened(store)) is not None
    assert mode(store) == 0o600


@pytest.mark.parametrize("kind", ["text", "journal", "binary", "database", "wal"])
async def test_a_file_that_is_no_store_is_rejected_and_not_modified(
    opened: Stores, store: Path, kind: str
) -> None:
    if kind in ("text", "journal"):
        store.write_text("my thesis\n" * 1000)
    elif kind == "binary":
        store.write_bytes(bytes(range(256)) * 100)
    else:
        db = sqlite3.connect(store)
        if kind == "wal":
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE event (id INTEGER PRIMARY KEY)")
        db.commit()
        db.close()
    if kind == "journal":
        Path(f"{store}-journal").write_bytes(b"notes")
    before = snapshot(store.parent)
    assert await refusal(opened(store)) == {"reason": "not_a_store", "outcome": "none"}
    assert snapshot(store.parent) == before


async def test_another_programs_interrupted_database_is_not_modified(
    opened: Stores, store: Path
) -> None:
    # Opening it would roll its transaction back.
    db = sqlite3.connect(store, isolation_level=None)
    db.execute("CREATE TABLE t (x)")
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * 4000,)] * 50)
    journal = Path(f"{store}-journal").read_bytes()
    content = store.read_bytes()
    db.close()
    store.write_bytes(content)
    Path(f"{store}-journal").write_bytes(journal)
    before = snapshot(store.parent)
    assert (await refusal(opened(store)))["reason"] == "not_a_store"
    assert snapshot(store.parent) == before


@pytest.mark.posix
@pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "/dev/null", "/dev/full"])
async def test_something_other_than_a_file_is_rejected(
    opened: Stores, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = Path("x")
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("x")
    else:
        path = Path(kind)
    assert await refusal(opened(path)) == {"reason": "not_a_store", "outcome": "none"}
    assert len(list(tmp_path.iterdir())) <= 1


async def test_a_file_in_place_of_a_folder_is_rejected(opened: Stores, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert (await refusal(opened(tmp_path / "file" / "events.db")))["outcome"] == "none"


@pytest.mark.parametrize(
    "name",
    ["with space.db", "a?b#c%20d&e=f.db", "%2e%2e", "ünï☃.db", "'\";--.db", "file:x?mode=memory"],
)
async def test_a_store_may_have_any_name(opened: Stores, tmp_path: Path, name: str) -> None:
    path = tmp_path / "folder ?#%41 ü" / name
    await make(opened(path))
    assert await get(opened(path)) is not None
    assert sorted(one.name for one in path.parent.iterdir()) == sorted(
        [name, f"{name}-wal", f"{name}-shm"]
    )


async def test_two_slashes_before_a_path_are_not_a_host(opened: Stores, store: Path) -> None:
    await make(opened(f"/{store}"))
    assert await get(opened(store)) is not None


@pytest.mark.posix
async def test_a_link_leads_to_the_one_store(opened: Stores, tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "x.db", tmp_path / "links" / "y.db"
    link.parent.mkdir()
    real.parent.mkdir()
    link.symlink_to(real)  # to a store that does not exist yet
    event = await make(opened(link))
    assert await get(opened(real)) == event
    assert list(link.parent.iterdir()) == [link]
    assert {path.name for path in real.parent.iterdir()} == {"x.db", "x.db-wal", "x.db-shm"}


async def test_an_older_store_is_migrated_and_keeps_its_events(
    opened: Stores, store: Path, migrated: Any
) -> None:
    old = LocalBackend(store)
    await make(old)
    reported = await signal(old, True)
    await old.close()
    migrated(True)
    assert await get(opened(store)) == reported
    db = sqlite3.connect(store)
    assert db.execute("PRAGMA user_version").fetchone()[0] == migrations.VERSION
    assert db.execute("SELECT * FROM later").fetchall() == []
    db.close()


@pytest.mark.posix
@pytest.mark.parametrize("version", range(1, migrations.VERSION))
async def test_a_store_of_each_earlier_release_is_opened_and_then_closed_to_it(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    made = LocalBackend(store.parent / "new.db")
    events = [await make(made, name, expires_in=3600) for name in ("answered", "pending")]
    events[0] = await made.signal(events[0], True)
    await made.close()
    db = sqlite3.connect(store, isolation_level=None)
    for statements in migrations.MIGRATIONS[:version]:
        for statement in statements:
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {version}")
    db.execute("ATTACH ? AS made", (str(store.parent / "new.db"),))
    db.execute("INSERT INTO store SELECT * FROM made.store")
    db.execute("INSERT INTO run SELECT * FROM made.run")
    columns = "id, run, action_name, parent, name, phase, expires_at, revision, document"
    db.execute(f"INSERT INTO event ({columns}) SELECT {columns} FROM made.event")
    db.close()
    store.chmod(0o600)

    backend = opened(store)
    for event in events:
        assert await get(backend, event.name) == event
    with pytest.raises(EventExists):
        await make(backend, "pending")
    for number in range(2):
        new = NewEvent(run=RUN, name="pending", parent="a0")
        owned = await backend.create_owned(new, f"a0-cond-pending-{number}")
        assert (await backend.signal(owned, True)).phase == SUCCEEDED
    ended = await backend.time_out(events[1])
    assert (ended.phase, ended.ended_at) == (TIMED_OUT, events[1].expires_at)
    await backend.close()

    monkeypatch.setattr(migrations, "VERSION", version)
    assert await refusal(opened(store)) == {"reason": "newer", "outcome": "none"}


@pytest.mark.parametrize("in_the_log_alone", [False, True])
async def test_a_newer_store_is_rejected_and_not_modified(
    opened: Stores, tmp_path: Path, migrated: Any, in_the_log_alone: bool
) -> None:
    store, copied = tmp_path / "a" / "events.db", tmp_path / "b" / "events.db"
    backend = LocalBackend(store)
    await make(backend)
    await backend.close()
    migrated(True)
    newer = LocalBackend(store)
    await make(newer, "more")
    if in_the_log_alone:
        # The state that a killed process leaves.
        shutil.copytree(store.parent, copied.parent)
        Path(f"{copied}-shm").unlink()
        header = copied.read_bytes()[:100]
        assert int.from_bytes(header[60:64], "big") == migrations.VERSION - 1
    await newer.close()
    if not in_the_log_alone:
        shutil.copytree(store.parent, copied.parent)
    migrated(False)
    before = snapshot(copied.parent)
    assert await refusal(opened(copied)) == {"reason": "newer", "outcome": "none"}
    assert snapshot(copied.parent) == before
    migrated(True)
    assert await get(opened(copied), "more") is not None


async def test_an_open_store_that_a_newer_release_migrates_is_neither_read_nor_written(
    opened: Stores, store: Path, migrated: Any
) -> None:
    old = opened(store)
    event = await make(old)
    migrated(True)
    assert await get(opened(store)) == event
    migrated(False)
    with pytest.raises(StoreUnavailable) as refused:
        await old.signal(event, True)
    assert refused.value.data == {"reason": "newer", "outcome": "none"}
    assert await refusal(old) == {"reason": "newer", "outcome": "none"}
    migrated(True)
    found = await get(opened(store))
    assert found is not None
    assert found.pending


UNPRIVILEGED = 65534
needs_root = pytest.mark.skipif(not IS_ROOT, reason="runs as another user")


@pytest.mark.posix
@needs_root
@pytest.mark.parametrize("what", ["file", "folder"])
async def test_a_store_without_permission_to_write_is_rejected_and_not_modified(
    worker: Worker, common: Path, what: str
) -> None:
    store = common / "here" / "events.db"
    backend = LocalBackend(store)
    await make(backend)
    await backend.close()
    os.chown(store, UNPRIVILEGED, -1)
    store.chmod(0o444 if what == "file" else 0o600)
    if what == "file":
        os.chown(store.parent, UNPRIVILEGED, -1)
    store.parent.chmod(0o755)
    before = snapshot(common)
    process = worker("create_as", UNPRIVILEGED, store)
    assert process.communicate(timeout=TEST_TIMEOUT)[0] == "store_unavailable read_only none\n"
    assert snapshot(common) == before


def in_a_mount(options: str, folder: Path) -> tuple[str, ...]:
    """Return a command prefix that mounts something on the folder, for that command only."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: a disk of our own cannot be made")
    tried = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("no permission to mount a disk of our own")
    script = f'mount {options} "$0" && cd . && exec "$@"'
    return ("unshare", "-rm", "sh", "-c", script, str(folder))


@pytest.mark.posix
async def test_a_store_on_a_read_only_disk_is_rejected_and_not_modified(
    worker: Worker, store: Path
) -> None:
    backend = LocalBackend(store)
    await make(backend)
    await backend.close()
    before = snapshot(store.parent)
    mount = in_a_mount(
        f'--bind "{store.parent}" "{store.parent}" && mount -o remount,bind,ro', store.parent
    )
    for path in (store, store.parent / "new.db", store.parent / "new" / "new.db"):
        process = worker("create", path, "more", prefix=mount)
        assert process.communicate(timeout=TEST_TIMEOUT)[0] == "store_unavailable read_only none\n"
    assert snapshot(store.parent) == before
