"""The end of events whose owner is gone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal as signals
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend, event_owners, processes, reader
from flyte_sidecar.backends.local.damaged_events import DamagedEvent
from flyte_sidecar.errors import AlreadyCompleted, EventExists, StoreUnavailable
from flyte_sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    Event,
    NewEvent,
    PendingQuery,
    Query,
    RunsQuery,
    Scope,
    Target,
)
from tests.backends.local.conftest import Stores, Worker, get, make, signal
from tests.backends.local.test_damage import (
    DOCUMENTS,
    Sql,
    change_behind_index,
    changed,
    damage,
    lose_a_page,
)
from tests.backends.local.test_owned_events import own
from tests.backends.local.watching import Feeds, line
from tests.backends.local.worker_process import RUN
from tests.conftest import TEST_TIMEOUT, skip_or_fail

FILES = {"events.db", "events.db-wal"}
SCOPE = Scope(RUN.org, RUN.project, RUN.domain)
REASON = "the process of the run ended"


async def owned_by(worker: Worker, store: Path, *names: str, prefix: tuple[str, ...] = ()) -> Any:
    """Start a process that owns events."""
    process = worker("own", store, *names, prefix=prefix)
    assert (await line(process)).startswith("created")
    return process


async def kill(process: Any) -> None:
    process.kill()
    await asyncio.to_thread(process.wait, TEST_TIMEOUT)


async def leave(process: Any) -> None:
    await asyncio.to_thread(process.communicate, "\n", TEST_TIMEOUT)


async def kill_without_reaping(process: Any) -> None:
    process.kill()
    await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


async def listed(opened: Stores, store: Path) -> dict[str, str]:
    """Return the phase of each event of the run, by name, as a process sees that starts now."""
    backend = opened(store)
    page = await resolve(backend.page(Query(run=RUN)))
    pending = await resolve(backend.pending(PendingQuery(scope=SCOPE)))
    runs = await resolve(backend.runs(RunsQuery(scope=SCOPE)))
    waiting = [event for event in page.events if event.pending]
    assert pending.events == waiting
    assert [run.pending_events for run in runs.runs] == [len(waiting)]
    return {event.name: event.phase for event in page.events}


def edit(store: Path, renewed: int = 0, **members: object) -> None:
    """Move the renewal of every owner by some seconds, and set members of its process."""
    db = sqlite3.connect(store, isolation_level=None)
    db.execute("UPDATE owner SET renewed_at = renewed_at + ?", (renewed * 1_000_000,))
    for name, value in members.items():
        change = f"json_set(process, '$.{name}', json(?))"
        db.execute(f"UPDATE owner SET process = {change}", (json.dumps(value),))
    db.close()


def rows_of(store: Path, sql: str) -> list[Any]:
    db = sqlite3.connect(store, isolation_level=None)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


@pytest.mark.posix
@pytest.mark.parametrize("end", [kill, kill_without_reaping, leave])
async def test_events_of_a_process_that_has_ended_are_aborted_before_anyone_reads_them(
    opened: Stores, worker: Worker, store: Path, end: Callable[[Any], Any]
) -> None:
    await make(opened(store), "other")
    process = await owned_by(worker, store, "one", "two")
    assert await listed(opened, store) == {"other": PAUSED, "one": PAUSED, "two": PAUSED}
    await end(process)
    assert await listed(opened, store) == {"other": PAUSED, "one": ABORTED, "two": ABORTED}
    event = await get(opened(store), "one")
    assert event is not None
    assert (event.abort_reason, event.payload, event.signalled_by) == (REASON, None, None)
    assert event.created_at is not None
    assert event.ended_at is not None
    assert event.expires_at is not None
    assert event.created_at <= event.ended_at < event.expires_at


async def test_a_first_read_of_any_kind_sees_the_end(
    opened: Stores, watched: Feeds, worker: Worker, store: Path
) -> None:
    reads: list[Callable[[Any], Any]] = [
        lambda backend: resolve(backend.find(Target(RUN, name="q"))),
        lambda backend: resolve(backend.choices(Target(RUN, name="q"))),
        lambda backend: resolve(backend.page(Query(run=RUN, phases=[PAUSED]))),
        lambda backend: resolve(backend.pending(PendingQuery(scope=SCOPE))),
        lambda backend: resolve(backend.runs(RunsQuery(scope=SCOPE, pending_only=True))),
        lambda backend: watched(backend).synced(),
        lambda backend: watched(backend, None).synced(),
    ]
    process = await owned_by(worker, store, "q")
    await kill(process)
    copies = [store.parent / str(number) / "events.db" for number in range(len(reads))]
    for copy in copies:
        shutil.copytree(store.parent, copy.parent, ignore=lambda _, names: set(names) - FILES)
    found = [await read(opened(copy)) for read, copy in zip(reads, copies, strict=True)]
    assert found[0].phase == ABORTED
    assert [event.phase for event in found[1]] == [ABORTED]
    assert found[2].events == found[3].events == found[4].runs == []
    assert [event.phase for event in found[5].events.values()] == [ABORTED]
    assert found[6].events == {}


@pytest.mark.posix
async def test_a_suspended_process_keeps_its_events(
    opened: Stores, worker: Worker, store: Path
) -> None:
    process = await owned_by(worker, store, "one", "two")
    process.send_signal(signals.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    edit(store, renewed=-3600)
    assert await listed(opened, store) == {"one": PAUSED, "two": PAUSED}
    assert (await signal(opened(store), True, "one")).phase == SUCCEEDED
    process.send_signal(signals.SIGCONT)
    await leave(process)
    assert await listed(opened, store) == {"one": SUCCEEDED, "two": ABORTED}


async def test_open_watches_and_waits_report_the_end_of_a_process(
    opened: Stores, watched: Feeds, worker: Worker, store: Path
) -> None:
    process = await owned_by(worker, store, "q")
    backend = opened(store)
    event = await get(backend)
    assert event is not None
    feeds = [watched(backend), watched(opened(store), None)]
    for feed in feeds:
        assert [*(await feed.synced()).named()] == ["q"]
    waits = opened(store)
    assert await get(waits) == event
    waiting = asyncio.ensure_future(waits.resolved(event))
    await asyncio.sleep(0)
    await kill(process)
    ended = await asyncio.wait_for(waiting, TEST_TIMEOUT)
    assert (ended.phase, ended.abort_reason) == (ABORTED, REASON)
    for feed in feeds:
        await feed.until(lambda picture: picture.named().get("q") == ended)


@pytest.mark.posix
async def test_an_open_store_notices_the_end_of_a_process(
    opened: Stores, worker: Worker, store: Path
) -> None:
    process = await owned_by(worker, store, "q")
    backend = opened(store)
    assert [event.name for event in await pending(backend)] == ["q"]
    await kill(process)
    async with asyncio.timeout(TEST_TIMEOUT):
        while await pending(backend):
            await asyncio.to_thread(os.sched_yield)


async def pending(backend: Any) -> list[Event]:
    found: list[Event] = (await resolve(backend.pending(PendingQuery(scope=SCOPE)))).events
    return found


async def test_no_answer_is_accepted_for_a_process_that_has_just_ended(
    opened: Stores, worker: Worker, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await owned_by(worker, store, "one", "two", "three", "four")
    backend = opened(store)
    events = {event.name: event for event in await pending(backend)}
    monkeypatch.setattr(reader, "OWNER_CHECK_INTERVAL", 1e9)
    await kill(process)
    with pytest.raises(AlreadyCompleted) as refused:
        await backend.signal(events["one"], True)
    ended = refused.value.data["event"]
    assert (ended.phase, ended.abort_reason, ended.payload) == (ABORTED, REASON, None)
    assert await get(backend, "one") == ended
    assert (await backend.abort(events["two"], "too late")).abort_reason == REASON
    assert (await backend.time_out(events["three"])).abort_reason == REASON
    with pytest.raises(EventExists) as exists:
        await make(backend, "four")
    assert exists.value.data["event"].abort_reason == REASON
    assert await pending(backend) == []


async def test_the_process_itself_may_end_its_events_with_another_reason(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    event = await backend.abort(await own(backend), "interrupted")
    assert (event.phase, event.abort_reason) == (ABORTED, "interrupted")


HERE = processes.this_domain()
IDENTITIES: dict[str, tuple[dict[str, object], int, str]] = {
    "this process": ({}, -3600, PAUSED),
    "a process id that is used again": ({"started": "1"}, 0, ABORTED),
    "no such process": ({"pid": 2**31 - 1}, 0, ABORTED),
    "another boot": ({"boot": "x"}, 0, ABORTED),
    "a container that renews": ({"pidNamespace": "1"}, 0, PAUSED),
    "a container that renewed lately": ({"pidNamespace": "1"}, -40, PAUSED),
    "a container that renews no more": ({"pidNamespace": "1"}, -61, ABORTED),
    "a container with a boot id of its own": ({"boot": "x", "pidNamespace": "1"}, 0, PAUSED),
    "a container before a restart": ({"boot": "x", "pidNamespace": "1"}, 3600, ABORTED),
    "a clock of another namespace": ({"timeNamespace": "1"}, -3600, PAUSED),
    "that in a container": ({"timeNamespace": "1", "pidNamespace": "1"}, -3600, PAUSED),
    "a start of another namespace": ({"timeNamespace": "1", "started": "1"}, 0, PAUSED),
    "an unknown boot": ({"boot": None}, 0, PAUSED),
    "an unknown boot that renews no more": ({"boot": None}, -61, ABORTED),
    "an unknown namespace": ({"pidNamespace": None}, 0, PAUSED),
    "an unknown namespace that renews no more": ({"pidNamespace": None}, -61, ABORTED),
    "an unknown start": ({"started": None}, 0, PAUSED),
    "an unknown start that renews no more": ({"started": None}, -61, ABORTED),
}


@pytest.mark.parametrize(("members", "renewed", "phase"), IDENTITIES.values(), ids=IDENTITIES)
async def test_the_identity_of_an_owner_decides_whether_it_is_gone(
    opened: Stores, store: Path, members: dict[str, object], renewed: int, phase: str
) -> None:
    backend = opened(store)
    event = await own(backend)
    await backend.close()
    edit(store, renewed, **members)
    assert await listed(opened, store) == {"q": phase}
    found = await opened(store).time_out(event)
    assert found.abort_reason == (REASON if phase == ABORTED else None)


@pytest.mark.posix
async def test_a_fork_of_the_owner_does_not_keep_its_events(
    opened: Stores, worker: Worker, store: Path
) -> None:
    process = worker("own_and_fork", store, "q")
    _, pid = (await line(process)).split()
    await asyncio.to_thread(process.wait, TEST_TIMEOUT)
    os.kill(int(pid), 0)
    assert await listed(opened, store) == {"q": ABORTED}
    process.stdin.close()


async def test_a_process_in_a_container_is_seen_by_its_renewals_alone(
    opened: Stores, worker: Worker, store: Path
) -> None:
    process = await owned_by(worker, store, "q", prefix=in_namespaces("--pid", "--mount-proc"))
    assert await listed(opened, store) == {"q": PAUSED}
    await kill(process)
    assert await listed(opened, store) == {"q": PAUSED}
    edit(store, renewed=-61)
    assert await listed(opened, store) == {"q": ABORTED}


def in_namespaces(*options: str) -> tuple[str, ...]:
    """Return a command prefix for a process in namespaces of its own."""
    prefix = ("unshare", "--map-root-user", "--fork", "--kill-child", *options)
    if shutil.which("unshare") is None:
        skip_or_fail("no unshare: a container cannot be made")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no permission to make a container")
    return prefix


async def test_processes_that_end_an_event_at_once_end_it_once(
    opened: Stores, worker: Worker, store: Path
) -> None:
    process = await owned_by(worker, store, "q")
    await kill(process)
    backends = [opened(store) for _ in range(8)]
    found = await asyncio.gather(*(get(backend) for backend in backends))
    assert {event.abort_reason for event in found if event is not None} == {REASON}
    assert len({event.ended_at for event in found if event is not None}) == 1
    assert rows_of(store, "SELECT revision FROM event") == [(2,)]  # created, ended


async def test_owners_without_pending_events_are_forgotten(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(store)
    kept = await own(backend, "kept")
    this = processes.this_process()
    for number in range(20):
        monkeypatch.setattr(processes, "this_process", lambda number=number: replaced(this, number))
        await backend.time_out(await own(backend, f"e{number}"))
    assert rows_of(store, "SELECT count(*) FROM owner") == [(2,)]
    monkeypatch.undo()
    assert (await backend.signal(kept, True)).phase == SUCCEEDED
    await own(backend, "another")
    assert len(rows_of(store, "SELECT * FROM owner")) == 1


def replaced(process: processes.Process, number: int) -> processes.Process:
    return processes.Process(
        process.boot, process.pid_namespace, process.time_namespace, process.pid, str(number)
    )


members = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
json_documents = st.dictionaries(
    st.sampled_from(["boot", "pidNamespace", "timeNamespace", "pid"]), members
).map(lambda document: json.dumps(document).encode())
"""Documents without the start of the process."""

DAMAGED = {
    "null": None,
    "a number": 5,
    "empty": "",
    "no json": "my diary",
    "nested": '{"more":' + "[" * 100_000,
    "cut off": '{"boot":',
    "a member missing": '{"boot":"x","pidNamespace":"","timeNamespace":"","pid":5}',
    "no process id": json.dumps(
        {
            "boot": HERE.boot,
            "pidNamespace": HERE.pid_namespace,
            "timeNamespace": HERE.time_namespace,
            "pid": 0,
            "started": "1",
        }
    ),
    "no utf-8": Sql("CAST(x'ff' AS TEXT)"),
}


@pytest.mark.parametrize(
    "columns",
    [*({"process": process} for process in DAMAGED.values()), {"renewed_at": None}],
    ids=[*DAMAGED, "no renewal"],
)
async def test_a_damaged_owner_affects_only_its_events(
    opened: Stores,
    store: Path,
    columns: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    this = processes.this_process()
    for number, name in enumerate(("bad", "q")):
        gone = replaced(this, number)
        monkeypatch.setattr(processes, "this_process", lambda gone=gone: gone)
        backend = LocalBackend(store)
        new = NewEvent(run=RUN, name=name, parent="a0")
        await backend.create_owned(new, name)
        await backend.close()
        if name == "bad":
            damage(store, "owner", **columns)
    await make(opened(store), "other")
    phases = {"bad": PAUSED, "q": ABORTED, "other": PAUSED}
    assert await listed(opened, store) == phases
    assert (await signal(opened(store), True, "bad")).phase == SUCCEEDED
    assert (await signal(opened(store), True, "other")).phase == SUCCEEDED


@given(
    process=st.none() | st.binary() | st.integers() | json_documents,
    renewed_at=st.none() | st.binary() | st.integers(-(2**63), 2**63 - 1),
)
def test_no_owner_that_cannot_be_understood_is_gone(process: object, renewed_at: object) -> None:
    assert event_owners._is_gone(process, renewed_at, HERE) is False


ANSWERED = changed(phase=SUCCEEDED, pending=False, payload=True)


@pytest.mark.parametrize(
    "document",
    [DOCUMENTS["null"], DOCUMENTS["cut off"], ANSWERED],
    ids=["null", "cut off", "answered"],
)
async def test_a_damaged_event_of_a_gone_owner_stays_and_the_others_end(
    opened: Stores, watched: Feeds, worker: Worker, store: Path, document: object
) -> None:
    await kill(await owned_by(worker, store, "one", "bad", "two"))
    damage(store, document=document)
    before = rows_of(store, "SELECT * FROM event WHERE name = 'bad'")
    for backend in (opened(store), opened(store)):
        for name in ("one", "two"):
            found = await get(backend, name)
            assert found is not None
            assert found.phase == ABORTED
        page = await resolve(backend.page(Query(run=RUN)))
        assert {event.name for event in page.events} - {"bad"} == {"one", "two"}
        picture = await watched(backend).synced()
        assert set(picture.named()) - {"bad"} == {"one", "two"}
    assert rows_of(store, "SELECT * FROM event WHERE name = 'bad'") == before


@pytest.mark.parametrize(
    ("index", "column"), [("pending_by_owner", "owner = 99"), ("event_by_change", "revision = 99")]
)
async def test_an_index_that_contradicts_an_owned_event_does_not_keep_the_others_pending(
    opened: Stores, worker: Worker, store: Path, index: str, column: str
) -> None:
    await kill(await owned_by(worker, store, "one", "bad", "two"))
    change_behind_index(store, index, column)
    backend = opened(store)
    for name in ("one", "two"):
        found = await get(backend, name)
        assert found is not None
        assert found.phase == ABORTED
    await make(backend, "new")
    assert "new" in [event.name for event in await pending(backend)]


async def test_an_event_of_a_gone_owner_whose_pages_are_lost_does_not_keep_the_others_pending(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LocalBackend(store)
    gone = replaced(processes.this_process(), 1)
    monkeypatch.setattr(processes, "this_process", lambda: gone)
    for name in ("one", "bad", "two"):
        new = NewEvent(run=RUN, name=name, parent="a0", prompt=name * 10_000)
        await backend.create_owned(new, name)
    await backend.close()
    monkeypatch.undo()
    lose_a_page(store, b"bad" * 500)
    backend = opened(store)
    assert await pending(backend) == []
    for name in ("one", "two"):
        found = await get(backend, name)
        assert found is not None
        assert found.phase == ABORTED
    with pytest.raises(DamagedEvent):
        await get(backend, "bad")
    await make(backend, "new")


def lose_table(store: Path, page: int) -> None:
    file = bytearray(store.read_bytes())
    file[(page - 1) * 4096 : page * 4096] = bytes(4096)
    store.write_bytes(file)


async def test_a_table_of_owners_that_cannot_be_read_affects_only_owned_events(
    opened: Stores, worker: Worker, store: Path
) -> None:
    other = LocalBackend(store)
    await make(other, "other")
    await kill(await owned_by(worker, store, "q"))
    await other.close()  # writes the log into the file
    page = rows_of(store, "SELECT rootpage FROM sqlite_schema WHERE name = 'owner'")[0][0]
    lose_table(store, page)
    assert await listed(opened, store) == {"other": PAUSED, "q": PAUSED}
    backend = opened(store)
    assert (await signal(backend, True, "other")).phase == SUCCEEDED
    with pytest.raises(StoreUnavailable):
        await signal(backend, True, "q")
    with pytest.raises(StoreUnavailable):
        await own(backend)
    assert (await make(backend, "another")).pending
