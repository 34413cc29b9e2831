"""The pending events of all runs: how they are listed and watched."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.rpc import run_service as calls
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.watch.inbox import RunFeed
from flyte_sidecar.errors import BackendUnavailable, CursorExpired, InvalidParams, PermissionDenied
from flyte_sidecar.events.coalescing import Disconnected
from flyte_sidecar.events.model import Scope
from tests.backends.flyte.scenarios import EVERY, OLD, timed, until
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import SCOPE, BackendClient

MODEL_SCOPE = {"project": SCOPE.project or "", "domain": SCOPE.domain or ""}


def fill(flyte: FlyteHarness, runs: int) -> list[str]:
    """Create runs: of three, one has a pending event, one an answered event, one a task."""
    model = flyte.server.model
    for place in range(runs):
        name = f"r{place:03}"
        if place % 3 == 0:
            model.ask(name, f"q{place}")
        elif place % 3 == 1:
            model.signal_directly(name, model.ask(name, f"q{place}"), True)
        else:
            model.task(name, "work")
    return [f"q{place}" for place in range(0, runs, 3)]


@EVERY
async def test_what_waits_is_found_in_whichever_run_it_is(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    wanted = fill(flyte, 30)
    events = await client.pending(limit=3)
    assert sorted(event.name for event in events) == sorted(wanted)
    assert not any(event.partial for event in events)
    runs = await client.runs(pending_only=True)
    assert sorted((run.run_name, run.pending_events) for run in runs) == [
        (f"r{place:03}", 1) for place in range(0, 30, 3)
    ]
    everything = await client.runs(limit=7)
    assert sorted(run.run_name for run in everything) == [f"r{place:03}" for place in range(30)]
    assert {run.phase for run in everything} == {"RUNNING"}


@EVERY
async def test_what_is_only_queued_does_not_wait_yet(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = flyte.server.model.ask("r1", "q", queued=True)
    flyte.server.model.ask("r1", "other")
    assert [event.name for event in await client.pending()] == ["other"]
    flyte.server.model.reconcile("r1", action)
    assert len(await client.pending()) == 2


@EVERY
async def test_runs_are_listed_newest_first_without_gap_while_new_ones_come(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    for place in range(250):
        model.ask(f"old{place:03}", "q")
        if place % 10 == 0:
            client.harness.pass_time(1)
    reported: list[str] = []
    cursor = None
    while True:
        page = await client.runs_page(limit=40, cursor=cursor)
        reported += [run.run_name for run in page.runs]
        cursor = page.next_cursor
        if cursor is None:
            break
        client.harness.pass_time(1)
        model.ask(f"new{len(reported):03}", "q")
    assert len(reported) == len(set(reported))
    assert {name for name in reported if name.startswith("old")} == {
        f"old{n:03}" for n in range(250)
    }


@EVERY
async def test_hundreds_of_runs_of_one_second_are_all_listed(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    instant = flyte._now()
    flyte.server.model.now = lambda: instant
    for place in range(450):
        flyte.server.model.task(f"r{place:03}", "work")
    runs = await client.runs(limit=100)
    assert sorted(run.run_name for run in runs) == [f"r{place:03}" for place in range(450)]


class Paging:
    """Pages of three runs; something happens after each, and some deployments filter nothing."""

    def __init__(
        self, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch, filters: bool = True
    ) -> None:
        self.calls = 0
        self.happens: Iterator[Callable[[], object]] = iter(())
        real = calls.RunService.runs

        async def runs(service: Any, place: Scope, paused: bool, until: Any, *more: Any) -> Any:
            self.calls += 1
            if until is not None and not filters:
                raise RpcError("INVALID_ARGUMENT", "invalid filter field: created_at")
            page = await real(service, place, paused, until, *more)
            next(self.happens, lambda: None)()
            return page

        monkeypatch.setattr(calls, "PAGE_SIZE", 3)
        monkeypatch.setattr(calls.RunService, "runs", runs)


PLACES = itertools.count()


@pytest.mark.parametrize("filters", [True, False])
@given(
    seconds=st.lists(st.integers(1, 7), max_size=4),
    happens=st.lists(st.booleans(), max_size=6),
    limit=st.integers(2, 20),
)
@settings(max_examples=30)
async def test_runs_are_listed_once_each_whatever_is_made_between_the_pages_of_the_backend(
    flyte: FlyteHarness,
    client: BackendClient,
    monkeypatch: pytest.MonkeyPatch,
    filters: bool,
    seconds: list[int],
    happens: list[bool],
    limit: int,
) -> None:
    place = Scope(None, f"place{next(PLACES)}", "local")
    names = (f"r{number}" for number in itertools.count())
    instant = flyte._now().replace(microsecond=0)

    def make(later: bool = False) -> str:
        nonlocal instant
        instant += timedelta(seconds=later)
        name = next(names)
        flyte.server.model.ask(name, "q", project=place.project or "", domain="local")
        return name

    with monkeypatch.context() as patched:
        patched.setattr(flyte.server.model, "now", lambda: instant)
        paging = Paging(flyte, patched, filters)
        made = [make(later=not number) for size in seconds for number in range(size)]
        paging.happens = iter([partial(make, later) for later in happens])
        reported = [run.run_name for run in await client.runs(place, limit=limit)]
    assert len(reported) == len(set(reported))
    assert set(made) <= set(reported)


@given(
    seconds=st.lists(st.integers(1, 2), max_size=8),
    answered=st.lists(st.integers(0, 20), max_size=6),
    limit=st.integers(2, 20),
)
@settings(max_examples=30)
async def test_runs_that_still_wait_are_listed_once_each_whatever_is_answered_between_the_pages(
    flyte: FlyteHarness,
    client: BackendClient,
    monkeypatch: pytest.MonkeyPatch,
    seconds: list[int],
    answered: list[int],
    limit: int,
) -> None:
    place = Scope(None, f"place{next(PLACES)}", "local")
    scope = {"project": place.project or "", "domain": "local"}
    instant = flyte._now().replace(microsecond=0)
    waiting: dict[str, str] = {}

    def answer(number: int) -> None:
        if waiting:
            name = [*waiting][number % len(waiting)]
            flyte.server.model.signal_directly(name, waiting.pop(name), True, **scope)

    with monkeypatch.context() as patched:
        patched.setattr(flyte.server.model, "now", lambda: instant)
        paging = Paging(flyte, patched)
        for size in seconds:
            instant += timedelta(seconds=1)
            for _ in range(size):
                name = f"r{len(waiting)}"
                waiting[name] = flyte.server.model.ask(name, "q", **scope)
        paging.happens = iter([partial(answer, number) for number in answered])
        reported = [
            run.run_name for run in await client.runs(place, limit=limit, pending_only=True)
        ]
    assert len(reported) == len(set(reported))
    assert {*waiting} <= set(reported)


async def test_a_cursor_of_another_listing_of_runs_is_expired(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    fill(flyte, 9)
    cursor = (await client.runs_page(limit=1)).next_cursor
    assert cursor is not None
    for wrong in ("", "x", "[]", cursor[:-1], cursor + "x", "\ud800", "[1,2,3]"):
        with pytest.raises(CursorExpired):
            await client.runs_page(cursor=wrong)
    with pytest.raises(CursorExpired):
        await client.runs_page(cursor=cursor, pending_only=True)
    with pytest.raises(CursorExpired):
        await client.pending_page(cursor=cursor)


async def test_a_scope_without_project_is_rejected(client: BackendClient) -> None:
    for ask in (client.pending_page, client.runs_page):
        with pytest.raises(InvalidParams) as refused:
            await ask(Scope(None, None, "d"))
        assert refused.value.data == {"path": "/project"}
    watching = client.watch(None, scope=Scope(None, None, "d"))
    assert isinstance(await watching.error(), InvalidParams)


@EVERY
async def test_an_inbox_reports_current_pending_events_and_new_ones(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    wanted = fill(flyte, 12)
    watching = client.watch(None)
    await watching.pending(wanted)
    assert all(event.pending for event in watching.picture.events.values())
    action = model.ask("later", "new")
    await watching.pending([*wanted, "new"])
    model.signal_directly("later", action, False)
    await watching.pending(wanted)
    again = model.ask("later", "newer")
    await watching.pending([*wanted, "newer"])
    model.abort_directly("later", again)
    await watching.pending(wanted)
    await watching.close()
    await until(lambda: flyte.server.open_streams["WatchActions"] == 0)


@EVERY
async def test_an_expiry_is_reported_to_an_inbox(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.ask("r1", "q", expires_in=60)
    watching = client.watch(None)
    await watching.pending(["q"])
    client.harness.pass_time(61)
    await watching.pending([])
    assert watching.picture.changes() == [("created", "q"), ("resolved", "q")]


@EVERY
async def test_runs_in_which_nothing_waits_any_more_are_followed_no_longer(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    actions = [model.ask(f"r{place}", f"q{place}") for place in range(5)]
    watching = client.watch(None)
    await watching.pending(f"q{place}" for place in range(5))
    for place, action in enumerate(actions):
        model.signal_directly(f"r{place}", action, True)
    await watching.pending([])
    session = await flyte.connected()
    if session.lister.updates_phases is False:  # such a run is listed until it ends
        assert len(session.informers._informers) == 5
        for place in range(5):
            model.finish_run(f"r{place}")
    await until(lambda: not session.informers._informers)


@EVERY
async def test_a_watch_of_all_survives_a_server_that_goes_and_comes_back(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    action = model.ask("r1", "q")
    model.ask("r2", "other")
    watching = client.watch(None)
    await watching.pending(["q", "other"])
    await asyncio.to_thread(flyte.server.stop)
    await watching.until(lambda picture: picture.disconnected)
    model.signal_directly("r1", action, True)
    model.ask("r3", "new")
    await asyncio.to_thread(flyte.server.start)
    await watching.until(lambda picture: not picture.disconnected)
    await watching.pending(["other", "new"])
    assert sum(isinstance(update, Disconnected) for update in watching.picture.updates) >= 1


async def test_a_watch_of_all_ends_with_the_first_error_or_one_that_cannot_be_mended(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.ask("r1", "q")
    watching = client.watch(None)
    await watching.pending(["q"])
    flyte.server.faults.errors["ListRuns"] = (grpc.StatusCode.PERMISSION_DENIED, "not any more")
    assert isinstance(await watching.error(), PermissionDenied)
    flyte.server.faults.errors.clear()
    await asyncio.to_thread(flyte.server.stop)
    assert isinstance(await client.watch(None).error(), BackendUnavailable)


async def test_a_run_that_is_no_longer_followed_delivers_nothing_to_an_inbox(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.ask("r1", "q")
    watching = client.watch(None)
    await watching.pending(["q"])
    session = await flyte.connected()
    (informer,) = session.informers._informers.values()
    (subscription,) = informer.subscribers.watches
    assert isinstance(subscription.feed, RunFeed)
    (event,) = watching.picture.events.values()
    subscription.feed.close()
    session.reader.cache.update(replace(event, action_name="late", name="late"))
    watching.take()
    assert watching.picture.pending() == {"q"}


@OLD
async def test_answered_events_that_stay_paused_for_ever_do_not_wait(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    for place in range(5):
        model.signal_directly("r1", model.ask("r1", f"done{place}"), True)
    model.ask("r1", "q")
    assert [event.name for event in await client.pending()] == ["q"]
    (run,) = await client.runs()
    assert run.pending_events == 1
    watching = client.watch(None)
    await watching.pending(["q"])
    assert watching.picture.changes() == [("created", "q")]


@pytest.mark.parametrize("release", ["hosted"])
async def test_where_orgs_are_supported_only_the_scopes_own_runs_are_listed(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.ask("r1", "q", org="acme", **MODEL_SCOPE)
    flyte.server.model.ask("r2", "ours", **MODEL_SCOPE)
    theirs = Scope("acme", SCOPE.project, SCOPE.domain)
    assert [event.name for event in await client.pending()] == ["ours"]
    (event,) = await client.pending(theirs)
    assert (event.name, event.org) == ("q", "acme")
    await client.watch(None, scope=theirs).pending(["q"])


async def test_fractions_of_a_second_are_cut_off(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.ask("r1", "q", queued=True)
    (run,) = await client.runs()
    assert run.created_at is not None
    assert run.created_at.microsecond == 0
    assert abs(run.created_at - flyte._now()) < timedelta(minutes=5)


@timed(resync_interval=3600.0, resyncs_per_second=1e-9)
async def test_watches_of_one_scope_share_an_inbox(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    wanted = fill(flyte, 9)
    watches = [client.watch(None) for _ in range(20)]
    for watching in watches:
        await watching.pending(wanted)
    session = await flyte.connected()
    (inbox,) = session.inboxes._inboxes.values()
    assert len(inbox.subscribers.watches) == 20
    for informer in session.informers._informers.values():
        assert len(informer.subscribers.watches) == 1
    for watching in watches[:-1]:
        await watching.close()
    flyte.server.model.ask("later", "new")
    await watches[-1].pending([*wanted, "new"])
    assert not any("new" in watching.picture.named() for watching in watches[:-1])
    await watches[-1].close()
    assert not session.inboxes._inboxes
    await until(lambda: not session.informers._informers)


@timed(
    resync_interval=3600.0,
    resyncs_per_second=1e-9,
    inbox_interval=3600.0,
    max_inbox_interval=3600.0,
)
async def test_a_second_watch_of_an_inbox_is_up_to_date_once_it_is_synced(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    action = model.ask("r1", "answered")
    model.ask("r2", "open")
    first = client.watch(None)
    await first.pending(["answered", "open"])
    await until(lambda: flyte.server.open_streams["WatchActions"] == 2)
    flyte.server.faults.lose_updates = True
    model.signal_directly("r1", action, True)
    model.ask("r3", "new")
    picture = await client.watch(None).synced()
    assert picture.pending() == {"open", "new"}
    await first.pending(["open", "new"])
