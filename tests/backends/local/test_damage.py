# ruff: noqa: ASYNC240 - what blocks the loop of a test blocks nobody
"""Documents and rows that the disk has changed: each affects only its own event."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend, damaged_events, mutations, open_file, rows
from flyte_sidecar.backends.local.damaged_events import DamagedEvent
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    EventExists,
    EventNotFound,
    StoreUnavailable,
)
from flyte_sidecar.events.model import (
    SUCCEEDED,
    TIMED_OUT,
    Event,
    NewEvent,
    PendingQuery,
    Query,
    Run,
    RunsQuery,
    Scope,
    Target,
)
from flyte_sidecar.events.service import EventService
from tests.backends.local.conftest import Stores, Worker, get, make, signal
from tests.backends.local.watching import Feeds
from tests.backends.local.worker_process import RUN
from tests.conftest import TEST_TIMEOUT

SCOPE = Scope(RUN.org, RUN.project, RUN.domain)


class Sql(str):
    """A value as SQL."""


def damage(store: Path, table: str = "event", **columns: object) -> None:
    """Change columns of the event `bad`, or of all owners, to values that the table rejects."""
    damaged = "name = 'bad'" if table == "event" else "true"
    db = sqlite3.connect(store, isolation_level=None)
    sql = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    lax = sql.replace(" NOT NULL", "").replace(" TEXT", "").replace(" STRICT", "")
    lax = lax.replace("expires_at INTEGER", "expires_at").replace("revision INTEGER", "revision")
    lax = lax.replace("run INTEGER", "run").replace("renewed_at INTEGER", "renewed_at")
    for definition in (lax, sql):
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (definition, table))
        db.close()
        db = sqlite3.connect(store, isolation_level=None)
        if definition is lax:
            for column, value in columns.items():
                expression = value if isinstance(value, Sql) else "?"
                parameters = () if isinstance(value, Sql) else (value,)
                db.execute(
                    f"UPDATE {table} SET {column} = {expression} WHERE {damaged}", parameters
                )
    db.close()


def changed(**members: object) -> Sql:
    """Return SQL of the document with other members; None removes one."""
    sql = "document"
    for name, value in members.items():
        if value is None:
            sql = f"json_remove({sql}, '$.{name}')"
        else:
            sql = f"json_set({sql}, '$.{name}', json('{json.dumps(value)}'))"
    return Sql(sql)


DOCUMENTS: dict[str, object] = {
    "null": None,
    "a number": 5,
    "a fraction": 0.5,
    "empty": "",
    "no json": "my diary",
    "cut off": Sql("substr(document, 1, 100)"),
    "nul bytes": Sql("CAST(zeroblob(300) AS TEXT)"),
    "no utf-8": Sql("CAST(replace(CAST(document AS BLOB), 'Approve', x'ff') AS TEXT)"),
    "half a character": Sql("replace(document, 'Approve', '\\ud800')"),
    "a list": "[]",
    "nested": "[" * 100_000,
    "a member missing": changed(runName=None),
    "a member of another type": changed(prompt=5),
    "no instant": changed(createdAt="yesterday"),
    "an instant that none is": changed(expiresAt="2026-99-99T00:00:00Z"),
    "a type that none is": changed(expectedType="secret"),
    "a phase that none is": changed(phase="PAVSED"),
    "pending and over": changed(phase="TIMED_OUT"),
    "pending and answered": changed(payload=True),
    "answered by nothing": changed(phase="SUCCEEDED", pending=False),
    "answered by another type": changed(phase="SUCCEEDED", pending=False, payload=5),
    "answered out of range": changed(
        phase="SUCCEEDED", pending=False, payload=2**70, expectedType="int"
    ),
    "answered by words": changed(
        phase="SUCCEEDED", pending=False, payload="five", expectedType="int"
    ),
}

BAD = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())


async def filled(store: Path, **columns: object) -> dict[str, Event]:
    """Create a store of three events, the second one damaged; returns their original states."""
    backend = LocalBackend(store)
    events = {name: await make(backend, name, expires_in=3600) for name in ("one", "bad", "two")}
    await backend.close()
    damage(store, **columns)
    return events


async def listed(backend: LocalBackend) -> list[str]:
    page = await resolve(backend.page(Query(run=RUN)))
    assert page.next_cursor is None
    return [event.name for event in page.events]


async def pending(backend: LocalBackend) -> list[str]:
    page = await resolve(backend.pending(PendingQuery(scope=SCOPE)))
    return [event.name for event in page.events]


async def counted(backend: LocalBackend, pending_only: bool = False) -> list[int]:
    page = await resolve(backend.runs(RunsQuery(scope=SCOPE, pending_only=pending_only)))
    return [run.pending_events for run in page.runs]


async def refused(backend: LocalBackend, event: Event) -> None:
    """Check that every request for the damaged event fails with an error that names it."""
    service = EventService(backend)
    for target in (Target(RUN, action_name=event.action_name), Target(RUN, name=event.name)):
        for attempt in (
            lambda target=target: resolve(service.get(target)),
            lambda target=target: resolve(service.wait(target)),
            lambda target=target: service.signal(service.write(target), True),
            lambda target=target: service.abort(service.write(target), None),
        ):
            with pytest.raises(StoreUnavailable) as met:
                await attempt()
            assert met.value.data == {
                "reason": "io",
                "outcome": "none",
                "actionName": event.action_name,
            }
            assert event.action_name in met.value.message
    for write in (backend.signal(event, True), backend.abort(event, None)):
        with pytest.raises(DamagedEvent):
            await write


@BAD
async def test_a_damaged_document_is_left_out_of_listings_and_logged_once(
    opened: Stores,
    watched: Feeds,
    store: Path,
    document: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = await filled(store, document=document)
    backend = opened(store)
    for _ in range(3):
        assert await listed(backend) == ["one", "two"]
        assert await pending(backend) == ["one", "two"]
        assert await counted(backend) == await counted(backend, True) == [2]
        for run in (RUN.name, None):
            picture = await watched(backend, run).synced()
            assert list(picture.named()) == ["one", "two"]
    await refused(backend, events["bad"])
    (record,) = [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert events["bad"].action_name in record.getMessage()
    assert "Approve" not in caplog.text
    assert "secret" not in caplog.text


@BAD
async def test_a_damaged_document_blocks_no_write_and_no_expiry_of_others(
    opened: Stores,
    watched: Feeds,
    store: Path,
    document: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = await filled(store, document=document)
    processes = [opened(store), opened(store)]
    watching = watched(processes[1])
    await watching.synced()
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    for index, backend in enumerate(processes):
        await make(backend, f"new{index}", expected_type="int")
        assert (await signal(backend, index, f"new{index}")).payload == index
        for name in ("one", "two"):
            found = await get(backend, name)
            assert found is not None
            assert (found.phase, found.ended_at) == (TIMED_OUT, events[name].expires_at)
        assert await counted(backend) == [0]
        await refused(backend, events["bad"])
    await watching.until(
        lambda picture: (
            {name: event.phase for name, event in picture.named().items()}
            == {"one": TIMED_OUT, "two": TIMED_OUT, "new0": SUCCEEDED, "new1": SUCCEEDED}
        )
    )


COLUMNS: list[dict[str, object]] = [
    {column: value}
    for column in ("run", "action_name", "parent", "phase", "expires_at", "revision")
    for value in (None, 0.5, "soon", b"\xff\0", Sql("CAST(x'ff' AS TEXT)"), 2**63 - 1, -5)
]
COLUMNS.append({"phase": TIMED_OUT})
COLUMNS.append({"expires_at": 1})
COLUMNS.append({"document": changed(expiresAt="2001-01-01T00:00:00Z")})


@pytest.mark.parametrize("columns", COLUMNS, ids=str)
async def test_a_damaged_column_affects_no_other_event(
    opened: Stores,
    watched: Feeds,
    store: Path,
    columns: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = await filled(store, **columns)
    backend, other = opened(store), opened(store)
    watching = watched(other)
    await watching.synced()
    assert [name for name in await listed(backend) if name != "bad"] == ["one", "two"]
    assert len(await counted(backend)) == 1
    for each in (backend, other):
        try:
            found = await resolve(each.find(Target(RUN, action_name=events["bad"].action_name)))
        except DamagedEvent:
            continue
        assert found is None or found.name == "bad"
    assert (await signal(backend, True, "one")).phase == SUCCEEDED
    await make(other, "new")
    await watching.until(lambda picture: picture.named()["one"].phase == SUCCEEDED)
    await watching.until(lambda picture: "new" in picture.named())
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    found = await get(backend, "two")
    assert found is not None
    assert found.phase == TIMED_OUT
    await watching.until(lambda picture: picture.named()["two"].phase == TIMED_OUT)
    assert [name for name in await listed(other) if name != "bad"] == ["one", "two", "new"]


async def test_a_document_of_an_enormous_size_is_skipped(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await filled(store, document=changed(prompt="x" * 1_000_000))
    assert await listed(opened(store)) == ["one", "bad", "two"]
    monkeypatch.setattr(open_file, "MAX_ROW_BYTES", 100_000)
    backend = opened(store)
    assert await listed(backend) == ["one", "two"]
    await refused(backend, events["bad"])
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    assert await listed(backend) == ["one", "two"]
    await make(backend, "new")


async def test_an_event_does_not_end_before_the_time_that_was_reported(
    opened: Stores, store: Path
) -> None:
    events = await filled(store, expires_at=1)
    backend = opened(store)
    await make(backend, "new")
    assert await get(backend, "bad") == events["bad"]
    assert (await signal(backend, True, "bad")).phase == SUCCEEDED


async def test_an_event_of_contradicting_times_rejects_an_answer(
    opened: Stores, store: Path
) -> None:
    events = await filled(store, document=changed(expiresAt="2001-01-01T00:00:00Z"))
    await refused(opened(store), events["bad"])


def lose_a_page(store: Path, content: bytes) -> None:
    """Break the chain of pages of a row at the first page that has this content."""
    file = bytearray(store.read_bytes())
    page = file.index(content) // 4096 * 4096
    file[page : page + 4] = b"\xff\xff\xff\xff"  # the number of the next
    store.write_bytes(file)


@pytest.mark.parametrize("due", [False, True])
async def test_a_document_whose_pages_are_lost_is_skipped(
    opened: Stores, watched: Feeds, store: Path, monkeypatch: pytest.MonkeyPatch, due: bool
) -> None:
    # SQLite cannot commit a transaction that has read such a row.
    backend = LocalBackend(store)
    for name in ("one", "bad", "two"):
        await make(backend, name, prompt=name * 10_000, expires_in=3600 if name == "bad" else None)
    bad = await get(backend, "bad")
    assert bad is not None
    await backend.close()
    lose_a_page(store, b"bad" * 500)
    if due:
        real = rows.now
        monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    backend, other = opened(store), opened(store)
    watching = watched(backend)
    assert list((await watching.synced()).named()) == ["one", "two"]
    assert await listed(backend) == ["one", "two"]
    await refused(backend, bad)
    with pytest.raises(DamagedEvent):
        await make(backend, "bad")
    results = await asyncio.gather(
        signal(backend, True, "one"),
        other.signal(bad, True),
        other.abort(bad, None),
        *(make(other, f"new{index}") for index in range(5)),
        return_exceptions=True,
    )
    assert [isinstance(result, Event) for result in results] == [True, False, False, *[True] * 5]
    await watching.until(lambda picture: "new4" in picture.named())


async def test_a_page_of_a_listing_skips_what_is_damaged_and_nothing_else(
    opened: Stores, store: Path
) -> None:
    backend = LocalBackend(store)
    for index in range(30):
        await make(backend, f"q{index}")
    await backend.close()
    db = sqlite3.connect(store)
    db.execute("UPDATE event SET document = 'x' WHERE id % 3 = 0 OR id BETWEEN 10 AND 20")
    db.commit()
    db.close()
    left = [f"q{index - 1}" for index in range(1, 31) if index % 3 and not 10 <= index <= 20]
    backend = opened(store)
    for limit in (1, 2, 3, 7, 100):
        seen, cursor = [], None
        while True:
            page = await resolve(backend.page(Query(run=RUN, limit=limit, cursor=cursor)))
            seen += [event.name for event in page.events]
            assert page.events or page.next_cursor is None
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == left


async def test_a_name_that_a_damaged_event_may_share_does_not_resolve_to_another_event(
    opened: Stores, store: Path
) -> None:
    backend = LocalBackend(store)
    for parent in ("a0", "a1"):
        await backend.create(NewEvent(run=RUN, name="q", parent=parent))
    await backend.close()
    db = sqlite3.connect(store)
    db.execute("UPDATE event SET document = 'x' WHERE parent = 'a1'")
    db.commit()
    db.close()
    backend = opened(store)
    with pytest.raises(DamagedEvent):
        await signal(backend, True)
    target = Target(RUN, name="q", parent="a0")
    service = EventService(backend)
    assert (await service.signal(service.write(target), True)).phase == SUCCEEDED


async def test_the_name_of_a_damaged_event_stays_in_use(opened: Stores, store: Path) -> None:
    await filled(store, document="x")
    with pytest.raises(DamagedEvent):
        await make(opened(store), "bad")
    with pytest.raises(EventExists):
        await make(opened(store), "one")


async def test_an_open_wait_for_a_damaged_event_ends_when_its_time_is_over(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(store)
    event = await make(backend, expires_in=3600)
    waiting = asyncio.ensure_future(backend.resolved(event))
    await asyncio.sleep(0)
    db = sqlite3.connect(store)
    db.execute("UPDATE event SET document = 'x', revision = revision")
    db.commit()
    db.close()
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    with pytest.raises(DamagedEvent):
        await asyncio.wait_for(waiting, TEST_TIMEOUT)


async def test_an_open_wait_for_an_event_that_changed_to_a_damaged_one_ends(
    opened: Stores, store: Path
) -> None:
    backend = opened(store)
    waiting = asyncio.ensure_future(backend.resolved(await make(backend)))
    await asyncio.sleep(0)
    db = sqlite3.connect(store)
    db.execute("UPDATE event SET document = 'x', phase = 'SUCCEEDED', revision = revision + 1")
    db.commit()
    db.close()
    with pytest.raises(DamagedEvent):
        await asyncio.wait_for(waiting, TEST_TIMEOUT)


async def test_a_damaged_run_is_left_out_of_a_listing(
    opened: Stores, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = LocalBackend(store)
    for name in ("r1", "r2", "r3"):
        run = Run(None, "local", "local", name)
        await backend.create(NewEvent(run=run, name="q", parent="a0"))
    await backend.close()
    db = sqlite3.connect(store)
    db.execute("UPDATE run SET name = CAST(x'ff' AS TEXT) WHERE name = 'r2'")
    db.execute(f"UPDATE run SET created_at = {2**62} WHERE name = 'r3'")
    db.commit()
    db.close()
    backend = opened(store)
    for _ in range(2):
        for limit in (1, 10):
            page = await resolve(backend.runs(RunsQuery(scope=SCOPE, limit=limit)))
            assert [run.run_name for run in page.runs] == ["r1"]
            assert page.next_cursor is None
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("index", "column"),
    [
        ("pending_by_expiry", "expires_at = expires_at + 1"),
        ("event_by_change", "revision = 99"),
        ("pending_by_run", "run = 99"),
    ],
)
async def test_an_index_that_contradicts_a_row_blocks_no_write(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch, index: str, column: str
) -> None:
    await filled(store)
    change_behind_index(store, index, column)
    before = entries(store)
    backend = opened(store)
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    found = await get(backend, "two")
    assert found is not None
    assert found.phase == TIMED_OUT
    await make(backend, "new")
    assert "new" in await pending(backend)
    assert await backend._change(mutations.expire) == [2]
    await backend.close()
    assert entries(store) == before  # no part of the row was changed


def change_behind_index(store: Path, index: str, column: str) -> None:
    """Set a column of the event `bad`, but not in the index."""
    db = sqlite3.connect(store, isolation_level=None)
    row = db.execute("SELECT * FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
    db.execute("PRAGMA writable_schema = ON")
    db.execute("DELETE FROM sqlite_schema WHERE name = ?", (index,))
    db.close()
    db = sqlite3.connect(store, isolation_level=None)
    db.execute(f"UPDATE event SET {column} WHERE name = 'bad'")
    db.execute("PRAGMA writable_schema = ON")
    db.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", row)
    db.close()


def entries(store: Path) -> list[bool]:
    """Return which indexes of pending events contain the damaged one."""
    db = sqlite3.connect(store)
    found = [
        (2,) in db.execute(f"SELECT id FROM event INDEXED BY {index} WHERE {condition}").fetchall()
        for index, condition in (
            ("pending_by_expiry", "phase = 'PAUSED' AND expires_at > 0"),
            ("pending_by_run", "phase = 'PAUSED' AND run > 0"),
            ("event_by_change", "revision > 0"),
        )
    ]
    db.close()
    return found


# DamagedEvents of the file as a whole.


async def attempts(backend: LocalBackend, event: Event) -> list[StoreUnavailable]:
    """Make every request of a client, and return the errors, which are those of the contract."""
    service = EventService(backend)
    target = Target(event.run, action_name=event.action_name)
    errors = []
    for attempt in (
        lambda: resolve(service.get(target)),
        lambda: resolve(service.page(Query(run=RUN))),
        lambda: resolve(service.pending(PendingQuery(scope=SCOPE))),
        lambda: resolve(service.runs(RunsQuery(scope=SCOPE))),
        lambda: make(backend, "new"),
        lambda: service.signal(service.write(target), True),
        lambda: backend.abort(event, None),
        lambda: backend._change(mutations.expire),
    ):
        try:
            await asyncio.wait_for(attempt(), TEST_TIMEOUT)
        except StoreUnavailable as error:
            errors.append(error)
        except (AlreadyCompleted, AlreadySignalled, EventExists, EventNotFound):
            pass
    return errors


@pytest.mark.parametrize("seed", range(8))
async def test_a_damaged_store_is_never_reported_as_something_else(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    whole = tmp_path / "whole.db"
    backend = LocalBackend(whole)
    for index in range(30):
        event = await make(
            backend, f"q{index}", prompt="p" * index * 300, expires_in=1e-5 if index % 3 else None
        )
    await backend.close()
    content = whole.read_bytes()
    for turn in range(12):
        changed = bytearray(content)
        if turn % 4 == 0:
            del changed[chance.randrange(1, len(content)) :]
        elif turn % 4 == 1:
            page = chance.randrange(len(content) // 4096) * 4096
            changed[page : page + 4096] = bytes(4096)
        else:
            for _ in range(chance.choice([1, 5, 50])):
                changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        store = tmp_path / f"{turn}.db"
        store.write_bytes(changed)
        backend = LocalBackend(store)
        for error in await attempts(backend, event):
            assert error.data["reason"] in ("io", "newer"), error
        await backend.close()


@pytest.mark.parametrize("size", [1, 16, 99, 100, 512, 4096, 5000])
async def test_a_truncated_store_is_damaged_and_not_modified(
    opened: Stores, store: Path, size: int
) -> None:
    backend = LocalBackend(store)
    await make(backend, prompt="p" * 10_000)
    await backend.close()
    content = store.read_bytes()
    store.write_bytes(content[:size])
    found = await attempts(opened(store), await make(opened(store.parent / "other.db")))
    assert found
    assert {error.data["reason"] for error in found} == {"io"}
    assert store.read_bytes() == content[:size]


@pytest.mark.parametrize("size", [16, 100, 4096])
@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"~"])
async def test_a_store_whose_start_is_overwritten_is_damaged_and_not_modified(
    opened: Stores, store: Path, size: int, filler: bytes
) -> None:
    backend = LocalBackend(store)
    await make(backend)
    await backend.close()
    store.write_bytes(filler * size + store.read_bytes()[size:])
    before = store.read_bytes()
    with pytest.raises(StoreUnavailable) as met:
        await get(opened(store))
    assert met.value.data == {"reason": "io", "outcome": "none"}
    assert "damaged" in met.value.message
    assert store.read_bytes() == before


@pytest.mark.parametrize("content", [bytes(100), bytes(8192), b"SQLite format 3\0"])
async def test_remains_of_a_store_are_not_reported_as_something_else(
    opened: Stores, store: Path, content: bytes
) -> None:
    store.write_bytes(content)
    with pytest.raises(StoreUnavailable) as met:
        await get(opened(store))
    assert met.value.data == {"reason": "io", "outcome": "none"}
    assert store.read_bytes() == content


@pytest.mark.posix
async def test_an_unreadable_disk_is_reported_as_such(worker: Worker, store: Path) -> None:
    backend = LocalBackend(store)
    for index in range(20):
        await make(backend, f"q{index}", prompt="p" * 10_000)
    await backend.close()
    if shutil.which("strace") is None:
        pytest.skip("no strace: reads cannot be made to fail")
    failed = 0
    for first in range(1, 12):
        fault = f"inject=pread64:error=EIO:when={first}+"
        tracer = ("strace", "-f", "-qqq", "-o", "/dev/null", "-P", str(store), "-e", fault)
        process = worker("create", store, f"new{first}", prefix=tracer)
        output = process.communicate(timeout=TEST_TIMEOUT)[0]
        if not output:
            pytest.skip("no permission to trace processes")
        assert output.startswith("created") or output == "store_unavailable io none\n"
        failed += output.startswith("store")
    assert failed


async def test_an_expiry_that_cannot_be_recorded_fails_a_read_instead_of_retrying_forever(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(store, document="x", expires_at=1)
    monkeypatch.setattr(damaged_events, "MAX_DAMAGED_EVENTS", 0)
    monkeypatch.setattr(open_file, "BUSY_TIMEOUT", 0.2)
    with pytest.raises(StoreUnavailable) as met:
        await listed(opened(store))
    assert met.value.data == {"reason": "io", "outcome": "none"}
