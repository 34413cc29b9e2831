"""How the store reads: with an index, to the end, and never the whole run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import event_owners, listings, reader
from flyte_sidecar.events.model import (
    PAUSED,
    SUCCEEDED,
    NewEvent,
    PendingQuery,
    Query,
    Run,
    RunsQuery,
    Scope,
    Target,
)
from flyte_sidecar.events.watch_feed import WatchSelector
from tests.backends.local.conftest import Stores, get, make, signal
from tests.backends.local.worker_process import RUN


async def test_every_statement_uses_an_index_and_sorts_nothing(opened: Stores, store: Path) -> None:
    backend = opened(store)
    event = await make(backend, "q", expires_in=3600)
    assert backend._reader is not None
    assert backend._writer is not None
    file = backend._writer._file
    assert file is not None
    statements: list[str] = []
    for db in (file.reading, file.writing):
        db.set_trace_callback(statements.append)
    for target in (
        Target(RUN, name="q"),
        Target(RUN, name="q", parent="a0"),
        Target(RUN, action_name=event.action_name),
    ):
        await resolve(backend.find(target))
        await resolve(backend.choices(target))
    for parent in (None, "a0"):
        for phases in (None, [PAUSED], [SUCCEEDED], [PAUSED, SUCCEEDED]):
            await resolve(backend.page(Query(run=RUN, parent=parent, phases=phases)))
    scope = Scope(RUN.org, RUN.project, RUN.domain)
    for pending_only in (False, True):
        await resolve(backend.runs(RunsQuery(scope=scope, pending_only=pending_only)))
    await resolve(backend.pending(PendingQuery(scope=scope)))
    for watched in (
        WatchSelector(scope=scope),
        WatchSelector(scope=scope, run_name=RUN.name, parent="a0"),
    ):
        listings.watched(backend._reader, (watched, 0))
    backend._reader.changes(0, 1 << 62, [1])
    list(backend._reader.events([1]))
    await signal(backend, True)
    await make(backend, "another")
    for _ in range(2):
        owned = await backend.create_owned(NewEvent(run=RUN, name="owned"), "a0-cond-owned-1")
        await backend.time_out(owned)
    await backend._end_overdue()
    assert await backend._change(event_owners.renew) is False
    plans = sqlite3.connect(store)
    seen = {sql for sql in statements if sql.lstrip().startswith(("SELECT", "UPDATE", "INSERT"))}
    assert len(seen) > 15
    for sql in seen:
        for row in plans.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall():
            step = row[3]
            of_one_row = "by_parent_and_name" in sql or "by_action" in sql
            of_all_runs = "IN (SELECT id FROM run" in sql  # few events are pending
            few = step.startswith(("SCAN wanted", "SCAN owner"))  # one row for each local run
            assert "SCAN" not in step or few, (step, sql)
            assert of_one_row or of_all_runs or "TEMP B-TREE" not in step, (step, sql)
    plans.close()


async def test_a_read_does_not_hide_what_others_write(opened: Stores, store: Path) -> None:
    backend, other = opened(store), opened(store)
    for number in range(5):
        await make(backend, f"q{number}")
    assert backend._reader is not None
    for read in (
        lambda: backend._reader.find(Target(RUN, name="q0")),
        lambda: backend._reader.choices(Target(RUN, name="q0")),
        lambda: listings.page(backend._reader, Query(run=RUN, limit=1)),
        lambda: listings.page(backend._reader, Query(run=RUN, max_bytes=1)),
        lambda: backend._reader.changes(0, 1 << 62, [1]),
        lambda: list(backend._reader.events([1, 2])),
        lambda: listings.runs(backend._reader, RunsQuery(scope=Scope("", "", ""), limit=1)),
        lambda: listings.pending(
            backend._reader, PendingQuery(scope=Scope(RUN.org, RUN.project, RUN.domain), limit=1)
        ),
        lambda: backend._reader.revision(),
        lambda: backend._reader.next_expiry(),
    ):
        read()
        version = backend._reader.data_version()
        await make(other, f"more{version}")
        assert backend._reader.data_version() != version


async def test_a_reader_caches_a_bounded_number_of_runs(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "RUN_CACHE_SIZE", 3)
    backend = opened(store)
    event = await make(backend)
    for number in range(10):
        run = Run(None, "local", "local", f"run{number}")
        assert await resolve(backend.find(Target(run, name="q"))) is None
        assert await get(backend) == event
    assert backend._reader is not None
    assert len(backend._reader._run_ids) <= 3


async def test_reads_return_immediately_while_the_store_is_open(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    event = await make(backend)
    assert backend.find(Target(RUN, name="q")) == event
    assert backend.choices(Target(RUN, name="q")) == [event]
