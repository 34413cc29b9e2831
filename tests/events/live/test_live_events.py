"""The pending events of an editor session, over the embedded store and the fake RunService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from flyte_sidecar.errors import (
    BackendUnavailable,
    PermissionDenied,
    SidecarError,
    StoreUnavailable,
    Unauthenticated,
)
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.live import live_events, reconnecting
from flyte_sidecar.events.live.live_events import LiveEvents
from flyte_sidecar.events.live.pending_index import PendingIndex
from flyte_sidecar.events.model import Event, Run, Scope, TaskName
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.watch_feed import WatchFeed
from tests.conftest import TEST_TIMEOUT
from tests.contract.conftest import client, open_harness
from tests.contract.harness import RUN, SCOPE, BackendClient, Harness
from tests.lsp.events import make_event

__all__ = ["client"]  # a fixture


class Session:
    """A LiveEvents, and what it has called back."""

    def __init__(
        self, service: EventService, includes: Callable[[Event], bool] = lambda event: True
    ) -> None:
        self.changed: list[set[str]] = []
        self.waiting: list[str] = []
        self.reported: list[tuple[str, str]] = []
        self.states: list[str] = []
        self._called = asyncio.Event()
        self.live = LiveEvents(
            service,
            on_change=lambda names: self._record(self.changed, names),
            on_event=lambda event, change: self._record(self.reported, (event.name, change)),
            on_waiting=lambda event: self._record(self.waiting, event.name),
            on_state=lambda state: self._record(self.states, state.phase),
            includes=includes,
            delay=lambda failures: 0.0,
        )
        self.live.start()

    def _record(self, calls: list, call: object) -> None:
        calls.append(call)
        self._called.set()

    def pending(self) -> list[str]:
        return [event.name for event in self.live.pending()]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that holds after a callback."""
        async with asyncio.timeout(TEST_TIMEOUT):
            while not condition():
                self._called.clear()
                await self._called.wait()

    async def ready(self) -> None:
        await self.until(lambda: self.live.state.phase == "ready")


# Over real backends.


@pytest.fixture(params=["local", "2.0.43"])
def harness(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    with open_harness(request.param, tmp_path, monkeypatch) as harness:
        yield harness


@pytest.fixture
async def session(client: BackendClient) -> AsyncIterator[Session]:
    session = Session(client.service)
    await session.ready()
    yield session
    await session.live.close()


async def test_events_that_were_pending_before_the_first_sync_are_not_announced(
    client: BackendClient,
) -> None:
    await client.make("earlier")
    session = Session(client.service)
    await session.ready()
    assert session.pending() == ["earlier"]
    await client.make("later")
    await session.until(lambda: "later" in session.waiting)
    assert session.waiting == ["later"]
    assert session.states == ["ready"]
    await session.live.close()


async def test_an_answered_event_is_no_longer_pending_and_its_name_is_kept(
    client: BackendClient, session: Session
) -> None:
    event = await client.make("q")
    await session.until(lambda: session.pending() == ["q"])
    await client.answer(event, False)
    await session.until(lambda: session.pending() == [])
    assert session.live.get(event_key(event)) is None
    assert set(session.live.names()) == {"q"}
    assert {"q"} in session.changed


async def test_events_are_found_by_name_across_runs_in_order_of_creation(
    client: BackendClient, session: Session
) -> None:
    runs = [RUN.scope.run(f"run{number}") for number in range(3)]
    for run in runs:
        await client.ask(run, "approve")
    await client.ask(runs[0], "other")
    await session.until(lambda: len(session.pending()) == 4)
    named = session.live.named("approve")
    assert sorted(event.run_name for event in named) == ["run0", "run1", "run2"]
    assert named == tuple(event for event in session.live.pending() if event.name == "approve")
    assert session.live.named("missing") == ()


async def test_events_of_runs_that_are_not_included_are_ignored(client: BackendClient) -> None:
    session = Session(client.service, includes=lambda event: event.run_name == "chosen")
    await session.ready()
    await client.ask(RUN.scope.run("excluded"), "one")
    await client.ask(RUN.scope.run("chosen"), "two")
    await session.until(lambda: session.waiting == ["two"])
    assert session.pending() == ["two"]
    assert {*session.live.names()} == {"two"}
    await session.live.close()


async def test_a_restart_lists_the_events_again_and_reports_none_that_is_unchanged(
    client: BackendClient, session: Session
) -> None:
    await client.make("q")
    await session.until(lambda: session.pending() == ["q"])
    session.live.restart()
    await session.until(lambda: session.states == ["ready", "connecting", "ready"])
    assert session.pending() == ["q"]
    assert session.waiting == ["q"]
    assert session.reported == [("q", "waiting")]


async def test_closing_ends_all_tasks(client: BackendClient) -> None:
    session = Session(client.service)
    await session.ready()
    before = asyncio.all_tasks()
    await session.live.close()
    assert len(asyncio.all_tasks()) < len(before)
    session.live.restart()
    assert session.states == ["ready"]


# Over a backend whose watches are scripted.


class Watches:
    """A backend whose watches do what the test tells them."""

    def __init__(self) -> None:
        self.opened: asyncio.Queue[WatchFeed] = asyncio.Queue()
        self.ends: asyncio.Queue[SidecarError | Exception | None] = asyncio.Queue()
        self.open = 0
        self.tasks: dict[str, TaskName | Exception | None] = {}
        self.lookups: list[str] = []
        self.cancelled: list[str] = []
        self.hangs = False
        self.checks: list[bool] = []

    def scope(self, *_: str | None) -> Scope:
        return SCOPE

    def order_key(self, run: Run) -> Run:
        return run

    def name_of(self, scope: Scope) -> str:
        return "flyte"

    async def watch(self, feed: WatchFeed) -> None:
        self.open += 1
        try:
            self.opened.put_nowait(feed)
            if (error := await self.ends.get()) is not None:
                raise error
        finally:
            self.open -= 1

    async def healthy(self) -> bool:
        return self.checks.pop(0)

    async def parent_task(self, event: Event) -> TaskName | None:
        assert event.parent is not None
        self.lookups.append(event.parent)
        try:
            await asyncio.sleep(3600 if self.hangs else 0)
        except asyncio.CancelledError:
            self.cancelled.append(event.parent)
            raise
        task = self.tasks.get(event.parent)
        if isinstance(task, Exception):
            raise task
        return task


@pytest.fixture
def watches() -> Watches:
    return Watches()


@pytest.fixture
async def scripted(watches: Watches) -> AsyncIterator[Session]:
    session = Session(EventService(watches))  # type: ignore[arg-type]  # only what it needs
    yield session
    await session.live.close()
    assert watches.open == 0


async def test_a_watch_that_cannot_be_opened_is_retried_until_it_can(
    watches: Watches, scripted: Session
) -> None:
    for _ in range(3):
        await watches.opened.get()
        watches.ends.put_nowait(BackendUnavailable("the backend is down"))
    feed = await watches.opened.get()
    assert scripted.live.state.phase == "disconnected"
    assert str(scripted.live.state.error) == "the backend is down"
    feed.put(make_event("q"))
    feed.sync()
    await scripted.ready()
    assert scripted.states == ["disconnected", "ready"]
    assert scripted.live.state.error is None
    assert scripted.waiting == []


@pytest.mark.parametrize("kind", [Unauthenticated, PermissionDenied])
async def test_a_permanent_error_is_not_retried_before_a_restart(
    watches: Watches, scripted: Session, kind: type[SidecarError]
) -> None:
    await watches.opened.get()
    watches.ends.put_nowait(kind("no"))
    await scripted.until(lambda: scripted.states == ["failed"])
    for _ in range(10):
        await asyncio.sleep(0)
    assert watches.opened.empty()
    scripted.live.restart()
    feed = await watches.opened.get()
    feed.sync()
    await scripted.ready()
    assert scripted.states == ["failed", "connecting", "ready"]


async def test_a_login_elsewhere_is_noticed_by_checks_that_ask_nobody(
    watches: Watches, scripted: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnecting, "LOGIN_CHECK_INTERVAL", 0.0)
    watches.checks = [False, False, True]
    await watches.opened.get()
    watches.ends.put_nowait(Unauthenticated("the login was cancelled"))
    feed = await watches.opened.get()
    assert watches.checks == []
    assert scripted.states == ["failed"]
    feed.sync()
    await scripted.ready()


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("replaced", reason="replaced"),
        RuntimeError("a bug"),
        None,
    ],
)
async def test_a_watch_that_ends_otherwise_is_opened_again(
    watches: Watches, scripted: Session, error: Exception | None
) -> None:
    (await watches.opened.get()).sync()
    await scripted.ready()
    watches.ends.put_nowait(error)
    (await watches.opened.get()).sync()
    await scripted.until(lambda: scripted.states == ["ready", "disconnected", "ready"])


async def test_what_ended_while_no_watch_was_open_is_removed_and_what_began_is_announced(
    watches: Watches, scripted: Session
) -> None:
    feed = await watches.opened.get()
    feed.put(make_event("stays"))
    feed.put(make_event("ends"))
    feed.sync()
    await scripted.ready()
    watches.ends.put_nowait(BackendUnavailable("gone"))
    feed = await watches.opened.get()
    assert sorted(scripted.pending()) == ["ends", "stays"]
    feed.put(make_event("stays"))
    feed.put(make_event("begins"))
    feed.sync()
    await scripted.ready()
    assert sorted(scripted.pending()) == ["begins", "stays"]
    assert scripted.waiting == ["begins"]
    assert "ends" in scripted.changed[-1]


async def test_a_reconnect_of_the_backend_announces_no_event_again(
    watches: Watches, scripted: Session
) -> None:
    feed = await watches.opened.get()
    feed.put(make_event("q"))
    feed.sync()
    await scripted.ready()
    feed.disconnect(BackendUnavailable("unplugged"))
    await scripted.until(lambda: scripted.live.state.phase == "disconnected")
    assert scripted.pending() == ["q"]
    feed.put(make_event("q"))
    feed.put(make_event("new"))
    feed.sync()
    await scripted.ready()
    assert scripted.waiting == ["new"]


async def test_nothing_is_kept_of_an_event_that_is_gone(
    watches: Watches, scripted: Session
) -> None:
    feed, event = await watches.opened.get(), make_event("q")
    feed.put(event)
    feed.sync()
    await scripted.ready()
    feed.remove(event)
    await scripted.until(lambda: scripted.pending() == [])
    assert set(scripted.live.names()) == set()


async def test_the_names_of_resolved_events_are_bounded(
    watches: Watches, scripted: Session
) -> None:
    feed = await watches.opened.get()
    events = [make_event(name) for name in ("x" * (live_events.MAX_NAME_LENGTH + 1), "last")]
    events[:0] = [make_event(f"q{n}") for n in range(live_events.MAX_RESOLVED_NAMES)]
    for event in events:
        feed.put(event)
    feed.sync()
    await scripted.ready()
    for event in events:
        feed.put(replace(event, pending=False, phase="SUCCEEDED", payload=True))
    await scripted.until(lambda: scripted.pending() == [])
    names = set(scripted.live.names())
    assert len(names) == live_events.MAX_RESOLVED_NAMES
    assert "last" in names
    assert not any(len(name) > live_events.MAX_NAME_LENGTH for name in names)


def named(session: Session, name: str, function: str, environment: str | None) -> list[str]:
    """Return the parents of the events of a name that may be of a task."""
    events = session.live.named(name, TaskName(function, environment))
    return [event.parent or "" for event in events]


async def test_events_of_other_tasks_are_left_out_once_their_task_is_known(
    watches: Watches, scripted: Session
) -> None:
    watches.tasks = {"a1": TaskName("deploy", "env"), "a2": TaskName("review", "env"), "a3": None}
    feed = await watches.opened.get()
    for parent in ("a1", "a2", "a3"):
        feed.put(make_event("approve", action_name=f"e-{parent}", parent=parent))
    feed.put(make_event("unasked", parent="a4"))
    feed.sync()
    await scripted.ready()
    scripted.changed.clear()
    assert named(scripted, "approve", "deploy", "env") == ["a1", "a2", "a3"]
    await scripted.until(lambda: scripted.changed == [{"approve"}, {"approve"}])
    assert named(scripted, "approve", "deploy", "env") == ["a1", "a3"]
    assert named(scripted, "approve", "review", None) == ["a2", "a3"]
    assert named(scripted, "approve", "deploy", "other") == ["a3"]
    assert len(scripted.live.named("approve")) == 3
    assert sorted(watches.lookups) == ["a1", "a2", "a3"]


async def test_a_parent_is_looked_up_once_for_events_of_several_names(
    watches: Watches, scripted: Session
) -> None:
    watches.tasks = {"a1": TaskName("deploy", "env")}
    feed = await watches.opened.get()
    for name in ("approve", "note"):
        feed.put(make_event(name, parent="a1"))
    feed.sync()
    await scripted.ready()
    scripted.changed.clear()
    for name in ("approve", "note"):
        assert named(scripted, name, "deploy", "env") == ["a1"]
    await scripted.until(lambda: bool(scripted.changed))
    assert scripted.changed == [{"approve", "note"}]
    assert watches.lookups == ["a1"]


async def test_closing_ends_lookups(watches: Watches, scripted: Session) -> None:
    watches.hangs = True
    feed = await watches.opened.get()
    feed.put(make_event("approve", parent="a1"))
    feed.sync()
    await scripted.ready()
    named(scripted, "approve", "deploy", "env")
    while not watches.lookups:  # noqa: ASYNC110 - the lookup starts with the next step of the loop
        await asyncio.sleep(0)
    await scripted.live.close()
    assert watches.cancelled == ["a1"]


async def test_a_task_that_cannot_be_read_is_looked_up_again_after_a_sync(
    watches: Watches, scripted: Session
) -> None:
    watches.tasks = {"a1": RuntimeError("a bug")}
    feed = await watches.opened.get()
    feed.put(make_event("approve", parent="a1"))
    feed.sync()
    await scripted.ready()
    for _ in range(3):
        assert named(scripted, "approve", "deploy", None) == ["a1"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert watches.lookups == ["a1"]
    watches.tasks = {"a1": TaskName("review", None)}
    feed.disconnect(BackendUnavailable("unplugged"))
    feed.sync()
    await scripted.until(lambda: scripted.states[-2:] == ["disconnected", "ready"])
    named(scripted, "approve", "deploy", None)
    await scripted.until(lambda: named(scripted, "approve", "deploy", None) == [])


async def test_events_that_do_not_fit_are_listed_once_others_are_removed(
    watches: Watches, scripted: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [make_event(f"q{place}", prompt="x" * 1000) for place in range(7)]
    partial = replace(events[0], prompt=None).size
    monkeypatch.setattr(scripted.live, "_index", PendingIndex(4 * events[0].size, 8 * partial))
    feed = await watches.opened.get()
    for event in events:
        feed.put(event)
    feed.sync()
    await scripted.ready()
    kept = scripted.live.pending()
    assert sum(event.size for event in kept) <= 8 * partial
    assert {event.partial for event in kept} == {False, True}
    assert scripted.live.omitted == len(events) - len(kept) > 0
    for event in kept[1:]:
        feed.put(replace(event, pending=False, phase="SUCCEEDED"))
    feed = await watches.opened.get()
    names = {one.name for one in kept[1:]} | {events[-1].name}  # the last one is gone by now
    left = [event for event in events if event.name not in names]
    for event in left:
        feed.put(event)
    feed.sync()
    await scripted.until(lambda: len(scripted.pending()) == len(left))
    assert scripted.live.omitted == 0
    assert scripted.waiting == []


def test_the_delay_before_a_reconnect_grows_to_a_limit() -> None:
    delays = [reconnecting.retry_delay(failures) for failures in range(1, 100)]
    assert 0.25 <= delays[0] <= 0.5
    assert all(30 <= delay <= 60 for delay in delays[10:])


def test_events_that_are_listed_again_are_kept_as_before() -> None:
    events = [make_event(f"q{place}", prompt="x" * 1000) for place in range(5)]
    index = PendingIndex(max_detailed=3 * events[0].size)
    for _ in range(3):
        kept = [index.put(event_key(event), event) for event in events]
        assert [event and event.partial for event in kept] == [False] * 3 + [True] * 2


def test_events_are_sorted_by_creation_then_run_then_action() -> None:
    index = PendingIndex()
    early, late = make_event("q", second=1), make_event("q", second=2)
    chosen = [
        replace(early, run_name="a", action_name="2"),
        replace(early, run_name="b", action_name="1"),
        replace(late, run_name="a", action_name="1"),
        replace(late, run_name="a", action_name="3"),
    ]
    for event in reversed(chosen):
        index.put(event_key(event), event)
    assert [*index.all()] == chosen
    assert [*index.named("q")] == chosen


async def test_a_request_waits_for_the_first_events_but_only_once_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_events, "CONNECT_TIMEOUT", 0.01)
    session = Session(EventService(Silent()))  # type: ignore[arg-type]  # a watch is all it needs
    await session.live.wait_connected()
    monkeypatch.setattr(live_events, "CONNECT_TIMEOUT", 3600.0)
    await session.live.wait_connected()
    assert session.states == []
    await session.live.close()


class Silent(Watches):
    """A backend that never reports its events."""

    async def watch(self, watch: WatchFeed) -> None:
        await asyncio.get_running_loop().create_future()
