"""Watches without a scope: one sequence of updates of both backends, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.merged.timing import MergeTiming
from flyte_sidecar.backends.merged.watch import MergedWatch
from flyte_sidecar.errors import (
    BackendUnavailable,
    InvalidParams,
    ShuttingDown,
    SidecarError,
    StoreUnavailable,
    Unauthenticated,
)
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Disconnected, Synced
from flyte_sidecar.events.model import ANY_SCOPE, Event, Scope, Target, without_details
from flyte_sidecar.events.watch_feed import WatchFeed, WatchSelector
from tests.backends.flyte.scenarios import until
from tests.backends.merged.conftest import DOWN, FAST, HERE, PATIENT, THERE, MergedHarness
from tests.contract.harness import BackendClient, Picture, Watching
from tests.lsp.events import make_event

LOGIN = Unauthenticated("log in")
BROKEN = StoreUnavailable("not a store", reason="not_a_store")
ANY_RUN = ANY_SCOPE.run("r")


class BothPicture(Picture):
    """A picture in which each backend may be disconnected, also before the first sync."""

    def __init__(self) -> None:
        super().__init__()
        self.down: dict[str | None, SidecarError] = {}

    def apply(self, update: object) -> None:
        if isinstance(update, Disconnected):
            assert update.backend in {"local", "flyte"} - {*self.down}
            self.down[update.backend] = update.error
        elif isinstance(update, Synced) and update.again:
            del self.down[update.backend]
        else:
            assert isinstance(update, Changed | Synced)
            super().apply(update)
            return
        self.updates.append(update)

    def order(self) -> list[str]:
        """Return the updates as words."""
        return [_word(update) for update in self.updates]


def _word(update: object) -> str:
    match update:
        case Changed():
            return f"{update.change} {update.event.name}"
        case Disconnected():
            return f"lost {update.backend}"
        case Synced():
            return f"found {update.backend}" if update.again else "synced"
    raise AssertionError


def watching(client: BackendClient, run: str | None = None) -> Watching:
    watch = CoalescingQueue(WatchSelector(scope=ANY_SCOPE, run_name=run))
    opened = Watching(watch, asyncio.ensure_future(client.service.watch(watch)))
    opened.picture = BothPicture()
    client._watching.append(opened)
    return opened


async def seen(watch: Watching, *words: str) -> list[str]:
    """Wait until exactly these updates are the last ones, and return all."""

    def complete(picture: Picture) -> bool:
        assert isinstance(picture, BothPicture)
        return picture.order()[-len(words) :] == [*words]

    picture = await watch.until(complete)
    assert isinstance(picture, BothPicture)
    return picture.order()


async def ask(client: BackendClient, scope: Scope, name: str, run: str = "r") -> Event:
    return await client.ask(scope.run(run), name)


async def test_an_inbox_has_the_events_of_both_backends(client: BackendClient) -> None:
    for scope, name in ((HERE, "local"), (THERE, "flyte"), (Scope("o", "other", "d"), "other")):
        await ask(client, scope, name)
    watch = watching(client)
    picture = await watch.pending(["local", "flyte"])
    assert picture.updates[-1] == Synced()
    later = [await ask(client, scope, f"later {scope.project}") for scope in (HERE, THERE)]
    await watch.pending(["local", "flyte", *(event.name for event in later)])
    for event in later:
        await client.answer(event)
    await watch.pending(["local", "flyte"])


async def test_a_deployment_that_is_down_at_the_start_is_reported_before_the_first_sync(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.reconnects = True
    both.flyte.switch(DOWN)
    await ask(client, HERE, "local")
    await ask(client, THERE, "flyte")
    watch = watching(client)
    order = await seen(watch, "synced")
    assert sorted(order[:-1]) == ["created local", "lost flyte"]
    await ask(client, HERE, "later")
    await seen(watch, "created later")
    both.flyte.switch(None)
    await seen(watch, "created flyte", "found flyte")
    assert both.flyte.opened == 1


@pytest.mark.parametrize("timing", [FAST])
async def test_a_backend_that_does_not_respond_counts_as_disconnected(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.switch(None, hangs=True)
    await ask(client, HERE, "local")
    await ask(client, THERE, "flyte")
    watch = watching(client)
    assert await seen(watch, "synced") == ["created local", "lost flyte", "synced"]
    assert isinstance(watch.picture, BothPicture)
    assert isinstance(watch.picture.down["flyte"], BackendUnavailable)


@pytest.mark.parametrize("timing", [FAST])
async def test_a_client_that_does_not_read_disconnects_no_backend(
    client: BackendClient, both: MergedHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(client, HERE, "local")
    reading = asyncio.Event()
    waiting: list[None] = []

    async def room(_: CoalescingQueue) -> None:
        waiting.append(None)
        await reading.wait()

    monkeypatch.setattr(CoalescingQueue, "room", room)
    watch = watching(client)
    await until(lambda: len(waiting) == 2)
    for _ in range(2):  # timeouts that begin later
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), FAST.response_timeout)
    reading.set()
    assert await seen(watch, "synced") == ["created local", "synced"]


@pytest.mark.parametrize(
    ("lost", "error"),
    [("flyte", DOWN), ("flyte", LOGIN), ("local", BROKEN), ("flyte", InvalidParams("no project"))],
)
@pytest.mark.parametrize("early", [True, False], ids=["before sync", "after sync"])
async def test_an_error_that_ends_the_watch_of_one_backend_is_reported_until_it_is_over(
    client: BackendClient, both: MergedHarness, lost: str, error: SidecarError, early: bool
) -> None:
    backend, other = getattr(both, lost), HERE if lost == "flyte" else THERE
    scope = THERE if lost == "flyte" else HERE
    events = [await ask(client, scope, name) for name in ("answered", "stays")]
    if early:
        backend.switch(error)
    watch = watching(client)
    await seen(watch, "synced")
    if not early:
        backend.switch(error)
        await seen(watch, f"lost {lost}")
    assert isinstance(watch.picture, BothPicture)
    assert watch.picture.down == {lost: error}
    await until(lambda: backend.checks > 2)
    assert backend.opened == 1  # a watch may ask a person to log in
    await ask(client, other, "meanwhile")
    await seen(watch, "created meanwhile")
    await backend.signal(events[0], True)
    await ask(client, scope, "new")
    backend.switch(None)
    await seen(watch, f"found {lost}")
    picture = await watch.pending(["stays", "meanwhile", "new"])
    # What ended meanwhile is reported, if it was reported as pending; only that is read.
    assert ("resolved", "answered") in picture.changes() or early
    assert backend.finds == (0 if early else 1)
    assert isinstance(picture, BothPicture)
    assert len([word for word in picture.order() if word.startswith(("lost", "found"))]) == 2


async def test_an_event_that_is_gone_when_its_backend_is_back_is_removed(
    client: BackendClient, both: MergedHarness
) -> None:
    event = await ask(client, HERE, "gone")
    watch = watching(client)
    await watch.pending(["gone"])
    both.local.switch(BROKEN)
    await seen(watch, "lost local")
    await LocalBackend.close(both.local)
    both.local.path += ".new"
    both.local.switch(None)
    order = await seen(watch, "found local")
    assert order[-2:] == ["removed gone", "found local"]
    assert event.name not in watch.picture.named()


async def test_the_watch_is_not_synced_before_any_backend_responds(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.switch(LOGIN)
    both.local.switch(BROKEN)
    watch = watching(client)
    await watch.until(lambda picture: len(picture.updates) == 2)
    assert isinstance(watch.picture, BothPicture)
    assert watch.picture.down == {"flyte": LOGIN, "local": BROKEN}
    await ask(client, THERE, "flyte")
    both.flyte.switch(None)
    await seen(watch, "created flyte", "found flyte", "synced")


async def test_the_end_of_the_backends_ends_the_watch(
    client: BackendClient, both: MergedHarness
) -> None:
    watch = watching(client)
    await watch.synced()
    both.flyte.switch(ShuttingDown("it is closed"))
    assert isinstance(await watch.error(), ShuttingDown)


async def test_a_watch_with_a_scope_is_that_of_one_backend(
    client: BackendClient, both: MergedHarness
) -> None:
    await ask(client, HERE, "local")
    await ask(client, THERE, "flyte")
    here, there = client.watch(None, scope=HERE), client.watch(None, scope=THERE)
    await here.pending(["local"])
    await there.pending(["flyte"])
    both.flyte.switch(LOGIN)
    assert await there.error() is LOGIN
    assert not here.feed.done()
    assert [client.service.backend.name_of(scope) for scope in (HERE, THERE)] == ["local", "flyte"]


@pytest.mark.parametrize("scope", [HERE, THERE])
async def test_a_watch_of_an_unknown_run_follows_the_backend_that_reports_it_first(
    client: BackendClient, both: MergedHarness, scope: Scope
) -> None:
    watch = watching(client, "r")
    await seen(watch, "synced")
    event = await ask(client, scope, "first")
    await seen(watch, "created first")
    await ask(client, THERE if scope == HERE else HERE, "of another run")
    await client.answer(event)
    await ask(client, scope, "second")
    await seen(watch, "created second")
    assert [name for _, name in watch.picture.changes()] == ["first", "first", "second"]


async def test_a_watch_of_a_run_of_the_store_does_not_need_the_deployment(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.switch(DOWN)
    await ask(client, HERE, "q")
    watch = watching(client, "r")
    assert await seen(watch, "synced") == ["created q", "synced"]
    assert both.flyte.opened == 0


async def test_a_backend_that_a_watch_no_longer_needs_does_not_stay_disconnected(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.switch(DOWN)
    watch = watching(client, "r")
    await seen(watch, "synced")
    await ask(client, HERE, "q")
    assert sorted(await seen(watch, "found flyte"))[:2] == ["created q", "found flyte"]


@pytest.mark.parametrize("timing", [PATIENT])
async def test_a_watch_is_synced_when_it_no_longer_needs_a_backend_that_does_not_respond(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.switch(None, hangs=True)
    watch = watching(client, "r")
    await both.watched(2)
    await ask(client, HERE, "q")
    await seen(watch, "created q", "synced")


# With scripted backends.


class Scripted:
    """A backend whose watch a test feeds."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.feeds: list[WatchFeed] = []
        self.ends: list[asyncio.Future[None]] = []

    async def watch(self, feed: WatchFeed) -> None:
        self.feeds.append(feed)
        self.ends.append(asyncio.get_running_loop().create_future())
        await self.ends[-1]

    async def healthy(self) -> bool:
        return True


class Recorded(CoalescingQueue):
    """A feed that counts what backends ask it."""

    puts: list[Event]
    full = False  # type: ignore[assignment]

    def put(self, event: Event) -> None:
        self.puts.append(event)
        super().put(event)


@pytest.fixture
async def scripted() -> AsyncIterator[tuple[Recorded, list[Scripted], asyncio.Future[None]]]:
    feed = Recorded(WatchSelector(scope=ANY_SCOPE, parent="a0"))
    feed.puts = []
    backends = [Scripted("local"), Scripted("flyte")]
    pairs = list(zip(backends, (HERE, THERE), strict=True))
    running = asyncio.ensure_future(MergedWatch(feed, pairs, FAST).run())  # type: ignore[arg-type]
    await until(lambda: all(backend.feeds for backend in backends))
    yield feed, backends, running
    running.cancel()
    await asyncio.wait([running])


async def test_only_selected_events_of_the_scope_of_a_backend_are_put(scripted: Any) -> None:
    feed, (local, _), _ = scripted
    event = make_event("q", org=None, project="local", domain="local")
    for other in (replace(event, project="other"), replace(event, parent="a1")):
        local.feeds[0].put(other)
    local.feeds[0].put(event)
    assert feed.puts == [event]


async def test_backends_see_what_the_client_has_and_how_far_it_is_behind(scripted: Any) -> None:
    feed, (local, _), _ = scripted
    event = make_event("q", org=None, project="local", domain="local")
    assert not local.feeds[0].has_event(event.run, event.action_name)
    local.feeds[0].put(event)
    assert local.feeds[0].has_event(event.run, event.action_name)
    assert not local.feeds[0].full
    feed.full = True
    assert local.feeds[0].full


async def test_a_backend_that_is_no_longer_followed_reports_nothing() -> None:
    feed = Recorded(WatchSelector(scope=ANY_SCOPE, run_name="r1"))
    feed.puts = []
    backends = [Scripted("local"), Scripted("flyte")]
    pairs = list(zip(backends, (HERE, THERE), strict=True))
    running = asyncio.ensure_future(MergedWatch(feed, pairs, FAST).run())  # type: ignore[arg-type]
    await until(lambda: all(backend.feeds for backend in backends))
    here = make_event("q", run_name="r1", org=None, project="local", domain="local")
    there = make_event("q", run_name="r1", org="o", project="p", domain="d")
    local, flyte = (backend.feeds[0] for backend in backends)
    for backend, event in ((local, here), (flyte, there), (local, replace(here, name="r"))):
        backend.put(event)  # before the other watch has ended
    flyte.disconnect(DOWN)
    assert feed.puts == [here, replace(here, name="r")]
    local.sync()
    updates = iter(feed.take, None)
    assert [_word(update) for update in updates] == ["created r", "synced"]
    running.cancel()
    await asyncio.wait([running])


async def test_only_what_is_pending_is_missed_after_a_reconnect(scripted: Any) -> None:
    _, (local, _), _ = scripted
    finds: list[Target] = []

    def find(target: Target) -> None:
        finds.append(target)

    local.find = find
    events = [
        make_event(name, org=None, project="local", domain="local")
        for name in ("resolved", "removed", "pending")
    ]
    for event in events:
        local.feeds[0].put(event)
    local.feeds[0].put(replace(events[0], phase="SUCCEEDED", pending=False, payload=True))
    local.feeds[0].remove(events[1])
    local.feeds[0].sync()
    local.ends[0].set_exception(DOWN)
    await until(lambda: len(local.feeds) == 2)
    local.feeds[1].sync()
    await until(lambda: finds != [])
    assert finds == [Target(events[2].run, action_name=events[2].action_name)]


async def test_the_delay_of_retries_starts_again_after_a_reconnect(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (local, _), _ = scripted
    failures: list[int] = []

    def backoff(_: MergeTiming, count: int) -> float:
        failures.append(count)
        return 0.0

    monkeypatch.setattr(MergeTiming, "backoff", backoff)
    for number in range(4):
        await until(lambda number=number: len(local.feeds) == number + 1)  # type: ignore[misc]
        if number == 2:
            local.feeds[number].sync()
        local.ends[number].set_exception(DOWN)
    await until(lambda: len(failures) == 4)
    assert failures == [1, 2, 1, 2]


async def test_the_events_of_watches_are_shared_and_without_details(
    scripted: Any,
) -> None:
    feed, (local, _), _ = scripted
    event = make_event("q", org=None, project="local", domain="local", prompt="p" * 10_000)
    local.feeds[0].put(event)
    other = Scripted("local")
    running = asyncio.ensure_future(
        MergedWatch(feed, [(other, HERE)], FAST).run()  # type: ignore[list-item]
    )
    await until(lambda: other.feeds != [])
    other.feeds[0].put(replace(event))
    one, two = (watch.feeds[0]._pending for watch in (local, other))  # type: ignore[attr-defined]
    assert [*one.values()] == [without_details(event)]
    assert next(iter(one)) is next(iter(two))
    assert next(iter(one.values())) is next(iter(two.values()))
    running.cancel()
    await asyncio.wait([running])


async def test_the_timeout_of_a_backend_begins_again_with_each_event_until_all_are_listed(
    scripted: Any,
) -> None:
    _, (local, _), _ = scripted
    watch = local.feeds[0]
    event = make_event("q", org=None, project="local", domain="local")
    first = watch._timeout
    watch.put(event)
    second = watch._timeout
    assert first.cancelled()
    assert not second.cancelled()
    await watch.room()
    assert second.cancelled()
    assert not watch._timeout.cancelled()
    watch.sync()
    await until(lambda: watch._timeout is None)
    watch.put(event)
    await watch.room()
    assert watch._timeout is None


def test_the_delay_of_retries_doubles_up_to_its_maximum() -> None:
    timing = MergeTiming(retry_delay=1.0, max_retry_delay=30.0)
    delays = [timing.backoff(failures) for failures in (1, 2, 3, 5, 6, 10_000)]
    assert delays == [1.0, 2.0, 4.0, 16.0, 30.0, 30.0]
