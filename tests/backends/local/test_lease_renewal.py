"""The renewal of a lease, and the ownership of events across closed stores."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import event_owners, lease_renewal, open_file
from flyte_sidecar.errors import StoreBusy
from flyte_sidecar.events.model import PAUSED, Target
from tests.backends.local.conftest import Stores, Worker, make
from tests.backends.local.test_owned_events import own
from tests.backends.local.worker_process import RUN
from tests.conftest import TEST_TIMEOUT


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_renewal, "RENEWAL_INTERVAL", 0.001)


def renewed_at(store: Path) -> int:
    db = sqlite3.connect(store, isolation_level=None)
    try:
        found: int = db.execute("SELECT renewed_at FROM owner").fetchone()[0]
    finally:
        db.close()
    return found


async def renewed(store: Path, since: int) -> int:
    """Wait for a renewal after one, and return when it was."""
    async with asyncio.timeout(TEST_TIMEOUT):
        while (found := await asyncio.to_thread(renewed_at, store)) == since:
            pass
    assert since < found <= event_owners.now()
    return found


async def test_a_process_renews_while_it_owns_a_pending_event(opened: Stores, store: Path) -> None:
    before = event_owners.now()
    backend = opened(store)
    first, second = [await own(backend) for _ in range(2)]
    at = renewed_at(store)
    assert before <= at <= event_owners.now()
    at = await renewed(store, await renewed(store, at))
    await backend.signal(first, True)
    await renewed(store, renewed_at(store))
    await opened(store).time_out(second)
    task = backend._renewal._task
    assert task is not None
    await asyncio.wait_for(task, TEST_TIMEOUT)  # ends by itself
    await own(backend)
    await renewed(store, renewed_at(store))


async def test_each_new_event_renews(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewal, "RENEWAL_INTERVAL", 1e6)
    backend = opened(store)
    await own(backend)
    at = renewed_at(store)
    await own(backend)
    assert renewed_at(store) > at


async def test_a_closed_store_is_not_renewed_until_the_process_opens_it_again(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    event = await own(backend)
    await renewed(store, renewed_at(store))
    task = backend._renewal._task
    await backend.close()
    assert task is not None
    await asyncio.wait({task}, timeout=TEST_TIMEOUT)
    assert task.cancelled()
    assert backend._renewal._task is None  # a renewal would open the store again
    at = renewed_at(store)
    for reopened in (backend, opened(store)):
        target = Target(RUN, action_name=event.action_name)
        found = await resolve(reopened.find(target))
        assert found == event
        assert found.phase == PAUSED
        at = await renewed(store, at)
        await reopened.close()
        at = renewed_at(store)


async def test_a_process_that_owns_nothing_does_not_write(
    opened: Stores, worker: Worker, store: Path
) -> None:
    process = worker("own", store, "q")
    assert process.stdout.readline().startswith("created")
    backend = opened(store)
    await resolve(backend.find(Target(RUN, name="q")))
    await make(backend, "other")
    assert backend._renewal._task is None
    process.communicate("\n", timeout=TEST_TIMEOUT)


async def test_renewal_goes_on_after_an_error(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_file, "BUSY_TIMEOUT", 0.01)
    backend = opened(store)
    await own(backend)
    failed = asyncio.Event()
    renew = backend._renewal._renew

    async def watch_renew() -> bool:
        try:
            return await renew()
        except StoreBusy:
            failed.set()
            raise

    monkeypatch.setattr(backend._renewal, "_renew", watch_renew)
    holder = sqlite3.connect(store, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    await asyncio.wait_for(failed.wait(), TEST_TIMEOUT)
    holder.execute("ROLLBACK")
    holder.close()
    await renewed(store, renewed_at(store))
