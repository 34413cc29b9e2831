# ruff: noqa: ASYNC240 - what blocks the loop of a test blocks nobody
"""Stores that another user could change, and paths that are not regular files."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from flyte_sidecar.backends.local import LocalBackend, open_file
from flyte_sidecar.errors import StoreUnavailable
from tests.backends.local.conftest import Stores, Worker, get, make, snapshot
from tests.backends.local.test_files import UNPRIVILEGED, mode, needs_root, refusal
from tests.conftest import TEST_TIMEOUT

pytestmark = pytest.mark.posix

UNSAFE = {"reason": "permissions", "outcome": "none"}
SUFFIXES = ["", "-wal", "-shm", "-journal"]


async def left(store: Path) -> None:
    """Create a store as a killed process leaves it, with all of its files."""
    backend = LocalBackend(store)
    await make(backend)
    kept = {path: path.read_bytes() for path in store.parent.iterdir()}
    await backend.close()
    for path, content in {**kept, Path(f"{store}-journal"): b""}.items():
        path.write_bytes(content)
        path.chmod(0o600)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("bits", [0o602, 0o620, 0o622, 0o666, 0o777])
async def test_a_store_that_others_can_write_is_rejected_and_not_modified(
    opened: Stores, store: Path, suffix: str, bits: int
) -> None:
    await left(store)
    path = Path(f"{store}{suffix}")
    path.chmod(bits)
    before = snapshot(store.parent)
    assert await refusal(opened(store)) == UNSAFE
    assert snapshot(store.parent) == before
    assert mode(path) == bits
    path.chmod(0o600)
    assert await get(opened(store)) is not None


@needs_root
@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_root_rejects_files_of_another_user_beside_its_own_store(
    opened: Stores, store: Path, suffix: str
) -> None:
    await left(store)
    for name in SUFFIXES:
        os.chown(f"{store}{name}", 0, 0)
    os.chown(f"{store}{suffix}", UNPRIVILEGED, UNPRIVILEGED)
    if suffix:
        assert await refusal(opened(store)) == UNSAFE
    else:
        await make(opened(store), "more")  # a store of another user, with files that root left


@needs_root
async def test_root_may_use_a_store_that_is_private_to_another_user(
    opened: Stores, worker: Worker, common: Path
) -> None:
    store = common / "here" / "events.db"
    store.parent.mkdir(mode=0o700)
    os.chown(store.parent, UNPRIVILEGED, UNPRIVILEGED)
    process = worker("create_as", UNPRIVILEGED, store)
    assert process.communicate(timeout=TEST_TIMEOUT)[0].startswith("created ")
    backend = opened(store)
    await make(backend, "by root")
    for path in store.parent.iterdir():
        assert path.stat().st_uid == UNPRIVILEGED
    await backend.close()
    store.chmod(0o644)
    assert await refusal(opened(store)) == UNSAFE
    store.chmod(0o600)
    process = worker("create_as", UNPRIVILEGED, store)  # q exists, and its owner can read it
    assert process.communicate(timeout=TEST_TIMEOUT)[0] == "event_exists None None\n"


@needs_root
@pytest.mark.parametrize("bits", [0o600, 0o644, 0o666])
async def test_a_store_of_another_user_is_rejected(worker: Worker, common: Path, bits: int) -> None:
    store = common / "here" / "events.db"
    backend = LocalBackend(store)
    await make(backend)
    await backend.close()
    os.chown(store.parent, UNPRIVILEGED, UNPRIVILEGED)
    store.chmod(bits)
    process = worker("create_as", UNPRIVILEGED, store)
    assert process.communicate(timeout=TEST_TIMEOUT)[0] == "store_unavailable permissions none\n"


async def test_a_folder_in_which_anyone_may_replace_the_store_is_rejected(
    opened: Stores, tmp_path: Path
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert await refusal(opened(folder / "events.db")) == UNSAFE
    assert list(folder.iterdir()) == []
    for bits in (0o1777, 0o775):
        folder.chmod(bits)
        await make(opened(folder / f"{bits}.db"))
    folder.chmod(0o777)
    await make(opened(folder / "own" / "events.db"))
    assert mode(folder / "own") == 0o700


def put(path: Path, kind: str, elsewhere: Path) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    elif kind == "link":
        elsewhere.touch()
        path.symlink_to(elsewhere)
    elif kind == "dangling link":
        path.symlink_to(elsewhere)
    else:
        path.symlink_to("/dev/zero")


KINDS = ["fifo", "folder", "socket", "link", "dangling link", "device"]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES[1:])
@pytest.mark.parametrize("kind", KINDS)
async def test_something_other_than_a_file_beside_a_store_is_rejected_without_blocking(
    opened: Stores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    suffix: str,
    there: bool,
) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")  # a socket's path is short
    store = Path("events.db")
    if there:
        backend = LocalBackend(store)
        await make(backend)
        await backend.close()
    put(Path(f"{store}{suffix}"), kind, tmp_path / "elsewhere")
    assert await refusal(opened(store)) == {"reason": "io", "outcome": "none"}
    assert store.exists() is there


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
async def test_a_link_to_something_other_than_a_file_is_rejected(
    opened: Stores, tmp_path: Path, kind: str
) -> None:
    put(tmp_path / "real", kind, tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StoreUnavailable) as met:
        await get(opened(tmp_path / "link"))
    assert met.value.data == {"reason": "not_a_store", "outcome": "none"}


async def test_a_file_that_appears_while_the_store_is_opened_is_rejected(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put_fifo(path: str) -> bool:
        os.mkfifo(path)
        return False

    monkeypatch.setattr(open_file, "is_full", put_fifo)
    with pytest.raises(StoreUnavailable) as met:
        await get(opened(store))
    assert met.value.data == {"reason": "not_a_store", "outcome": "none"}


async def test_a_log_that_others_can_write_once_the_store_is_open_is_rejected(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await left(store)
    set_modes = open_file._set_modes

    def open_up(db: sqlite3.Connection) -> None:
        set_modes(db)
        Path(f"{store}-wal").chmod(0o666)

    monkeypatch.setattr(open_file, "_set_modes", open_up)
    with pytest.raises(StoreUnavailable) as met:
        await get(opened(store))
    assert met.value.data == UNSAFE
