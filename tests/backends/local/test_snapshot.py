"""Reads that share a snapshot of the store."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.events.model import Event, Target
from tests.backends.local.conftest import Stores, make
from tests.backends.local.worker_process import RUN


def find(backend: LocalBackend, name: str) -> Any:
    return backend.find(Target(RUN, name=name))


async def test_a_new_snapshot_has_what_another_process_wrote(opened: Stores, store: Path) -> None:
    ours, theirs = opened(store), opened(store)
    await make(ours, "first")
    with ours.snapshot():
        assert isinstance(find(ours, "first"), Event)
        assert find(ours, "second") is None
    await make(theirs, "second")
    with ours.snapshot():
        assert isinstance(find(ours, "second"), Event)


async def test_no_transaction_is_open_after_a_snapshot(opened: Stores, store: Path) -> None:
    backend = opened(store)
    await make(backend, "event")
    reader = backend._reader
    assert reader is not None
    with backend.snapshot():
        find(backend, "event")
        assert reader.db.in_transaction
    assert not reader.db.in_transaction
    with pytest.raises(ZeroDivisionError), backend.snapshot():
        raise ZeroDivisionError
    assert not reader.db.in_transaction


async def test_a_store_may_be_closed_or_roll_back_within_a_snapshot(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    with backend.snapshot():
        pass  # it is not open yet
    await make(backend, "event")
    reader = backend._reader
    assert reader is not None
    with backend.snapshot():
        reader.db.execute("ROLLBACK")
    with backend.snapshot():
        backend._detach()
    with pytest.raises(sqlite3.ProgrammingError):
        reader.data_version()
    assert (await resolve(find(backend, "event"))) is not None
