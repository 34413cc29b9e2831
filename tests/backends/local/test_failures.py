# ruff: noqa: ASYNC240 - what blocks the loop of a test blocks nobody
"""Full disks, and mutations that fail."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.backends.local import LocalBackend, mutations
from flyte_sidecar.errors import EventExists, EventNotFound, SidecarError, StoreUnavailable
from flyte_sidecar.events.model import SUCCEEDED
from tests.backends.local.conftest import Stores, Worker, get, make, signal
from tests.backends.local.test_files import in_a_mount
from tests.conftest import TEST_TIMEOUT


async def together(*attempts: Any) -> list[Any]:
    """Return the results of mutations that are committed together."""
    return await asyncio.gather(*attempts, return_exceptions=True)


async def test_rejected_mutations_in_a_group_do_not_affect_the_others(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    event = await make(backend)
    missing = await make(backend, "other")
    results = await together(
        make(backend, "a"),
        make(backend, "q"),
        backend.signal(event, True),
        backend.signal(event, False),
        backend.abort(_renamed(missing), None),
        make(backend, "b"),
    )
    kinds = [type(result).__name__ for result in results]
    assert kinds == ["Event", "EventExists", "Event", "AlreadySignalled", "EventNotFound", "Event"]
    assert isinstance(results[1], EventExists)
    assert isinstance(results[4], EventNotFound)
    for name in ("a", "b"):
        assert await get(backend, name) is not None


def _renamed(event: Any) -> Any:
    from msgspec.structs import replace

    return replace(event, action_name="enone")


@pytest.mark.parametrize("when", ["statement", "rollback", "fault"])
async def test_a_mutation_that_fails_its_group_fails_alone(
    opened: Stores, store: Path, when: str
) -> None:
    backend = opened(store)
    await make(backend)
    assert backend._writer is not None

    def broken(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO run VALUES (99, 'half', 'done', 'x', 'y', 0)")
        if when == "statement":
            db.execute("INSERT INTO nowhere VALUES (1)")
        elif when == "rollback":
            db.execute("ROLLBACK")
        else:
            raise ZeroDivisionError

    results = await together(
        make(backend, "a"),
        backend._change(broken),
        make(backend, "b"),
        backend._change(mutations.expire),
    )
    assert isinstance(results[1], ZeroDivisionError if when == "fault" else StoreUnavailable)
    if isinstance(results[1], StoreUnavailable):
        assert results[1].data == {"reason": "io", "outcome": "none"}
    assert results[3] == []
    for name in ("a", "b"):
        assert await get(backend, name) is not None
    db = sqlite3.connect(store)
    assert db.execute("SELECT count(*) FROM run WHERE org = 'half'").fetchone() == (0,)
    db.close()


async def test_a_full_store_accepts_what_still_fits_and_everything_once_there_is_room(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    for name in ("large", "small"):
        await make(backend, name, expected_type="str")
    assert backend._writer is not None

    def limit(pages: int) -> Any:
        def change(db: sqlite3.Connection) -> None:
            used = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {used + pages}")

        return backend._change(change)

    await limit(5)
    results = await together(
        signal(backend, "x" * 1_000_000, "large"), signal(backend, "x", "small"), make(backend, "c")
    )
    assert isinstance(results[0], StoreUnavailable)
    assert results[0].data == {"reason": "full", "outcome": "none"}
    assert results[1].phase == SUCCEEDED
    assert results[2].pending
    found = await get(backend, "large")
    assert found is not None
    assert found.pending
    await limit(10_000)
    assert (await signal(backend, "x" * 1_000_000, "large")).phase == SUCCEEDED


@pytest.mark.posix
def test_a_full_disk_is_reported_and_the_store_recovers_once_there_is_room(
    worker: Worker, tmp_path: Path
) -> None:
    mount = in_a_mount("-t tmpfs -o size=1m tmpfs", tmp_path)
    process = worker("on_a_full_disk", tmp_path, prefix=mount)
    lines = process.communicate(timeout=TEST_TIMEOUT)[0].splitlines()
    assert lines == [
        "large: store_unavailable full none",
        "small: SUCCEEDED",
        "large: still pending",
        "no room at all: store_unavailable full none",
        "read: SUCCEEDED",
        "reopened: store_unavailable full none",
        "new store: store_unavailable full none",
        "untouched: True",
        "after: SUCCEEDED",
    ]


async def test_every_failure_of_the_store_is_an_error_of_the_contract(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(store)
    event = await make(backend)
    assert backend._reader is not None

    def fail(*_: object) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(backend._reader, "find", fail)
    monkeypatch.setattr("flyte_sidecar.backends.local.reader.StoreReader.find", fail)
    with pytest.raises(SidecarError) as refused:
        await get(backend)
    assert refused.value.data == {"reason": "io", "outcome": "none"}
    assert (await together(backend.healthy()))[0] is not None
    assert event.pending


async def test_a_store_reports_whether_it_is_healthy(store: Path) -> None:
    backend = LocalBackend(store)
    assert await backend.healthy()
    await backend.close()
    store.write_text("my thesis")
    assert not await LocalBackend(store).healthy()
    store.unlink()
    assert await backend.healthy()
    await backend.close()
