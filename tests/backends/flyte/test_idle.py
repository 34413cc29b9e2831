"""What waiting costs the backend while nothing changes, and how changes are found all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.flyte import cache
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.backends.flyte.watch.refresh_failures import PERSISTENT_FAILURES
from flyte_sidecar.backends.flyte.watch.schedule import Schedule, SharedRates
from flyte_sidecar.events.coalescing import Disconnected
from flyte_sidecar.events.model import Target
from tests.backends.flyte.scenarios import EVERY, OLD, timed, until
from tests.contract.flyte import FAST, FlyteHarness
from tests.contract.harness import SCOPE, BackendClient
from tests.fake_runservice import hostile

LISTED, DETAILS, STREAM, RUNS = "ListActions", "GetActionDetails", "WatchActions", "ListRuns"
NEVER = 1e-9  # a rate
IDLE = replace(FAST, max_inbox_interval=0.05, inbox_interval=0.01)
NEW = pytest.mark.parametrize("release", ["2.0.43", "hosted"])


@pytest.fixture
def timing() -> Timing:
    return IDLE


async def settled(flyte: FlyteHarness, method: str) -> None:
    """Wait until the calls that begin a watch have been made."""
    count = -1
    while count != flyte.server.calls[method]:
        count = flyte.server.calls[method]
        await polled(flyte, 5)


async def polled(flyte: FlyteHarness, times: int) -> None:
    """Wait until the runs were polled so many times more."""
    wanted = flyte.server.calls[RUNS] + times
    await until(lambda: flyte.server.calls[RUNS] >= wanted)


@timed(IDLE, resyncs_per_second=NEVER)
async def test_an_idle_inbox_makes_no_calls_for_its_runs(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(60):
        flyte.server.model.ask(f"r{place}", f"q{place}")
    watching = client.watch(None)
    await watching.pending(f"q{place}" for place in range(60))
    await settled(flyte, LISTED)
    flyte.server.calls.clear()
    await polled(flyte, 30)
    assert {*flyte.server.calls} == {RUNS}
    assert flyte.server.open_streams[STREAM] == 60


@timed(IDLE, resyncs_per_second=NEVER)
@EVERY
async def test_runs_in_which_everything_is_answered_cost_an_idle_inbox_nothing(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = flyte.server.model
    for place in range(40):
        model.signal_directly(f"r{place}", model.ask(f"r{place}", "q"), True)
        if place % 2:
            model.finish_run(f"r{place}")
    watching = client.watch(None)
    await watching.pending([])
    await settled(flyte, LISTED)
    flyte.server.calls.clear()
    await polled(flyte, 30)
    assert {*flyte.server.calls} == {RUNS}
    model.ask("r0", "again")  # and if one of them asks again, it is heard
    await watching.pending(["again"])


@timed(IDLE, resyncs_per_second=NEVER)
async def test_waits_in_many_runs_make_no_calls_while_streams_are_open(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [SCOPE.run(f"r{place}") for place in range(20)]
    actions = [flyte.server.model.ask(run.name, "q") for run in runs]
    waits = []
    for run, action in zip(runs, actions, strict=True):
        target = Target(run, action_name=action)
        waits.append(asyncio.ensure_future(resolve(client.service.wait(target))))
    watching = client.watch(None)  # its polls report how much time passes
    await watching.synced()
    await settled(flyte, DETAILS)
    flyte.server.calls.clear()
    await polled(flyte, 30)
    assert {*flyte.server.calls} == {RUNS}
    for one in waits:
        one.cancel()


@timed(IDLE, resyncs_per_second=NEVER, polls_per_second=NEVER)
@OLD
async def test_releases_that_hide_answers_are_polled_at_a_rate_that_all_runs_share(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(20):
        flyte.server.model.ask(f"r{place}", f"q{place}")
    watching = client.watch(None)
    await watching.pending(f"q{place}" for place in range(20))
    await settled(flyte, DETAILS)
    flyte.server.calls.clear()
    await polled(flyte, 30)
    assert {*flyte.server.calls} == {RUNS}


@timed(IDLE, resyncs_per_second=NEVER, polls_per_second=NEVER, runs_per_second=NEVER)
@EVERY
async def test_a_poll_of_hundreds_of_runs_reads_those_that_were_updated_last(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = flyte.server.model
    model.task("oldest", "work")
    client.harness.pass_time(5)
    for place in range(250):
        model.ask(f"r{place}", f"q{place}")
    wanted = {f"q{place}" for place in range(250)}
    watching = client.watch(None)
    await watching.pending(wanted)
    await settled(flyte, LISTED)
    flyte.server.requests.clear()
    await polled(flyte, 20)
    model.ask("oldest", "new")
    await watching.pending([*wanted, "new"])
    asked = [request for method, request, _ in flyte.server.requests if method == RUNS]
    assert {(one.request.sort_by.key, one.request.token) for one in asked} == {("updated_at", "")}


@timed(IDLE, runs_per_second=NEVER)
async def test_more_new_runs_than_a_page_holds_are_all_found(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.model.ask("r", "q")
    watching = client.watch(None)
    await watching.pending(["q"])
    for place in range(250):
        flyte.server.model.ask(f"r{place}", f"q{place}")
    await watching.pending(["q", *(f"q{place}" for place in range(250))])


@timed(IDLE, resync_interval=3600.0, resyncs_per_second=NEVER)
async def test_an_answer_of_which_no_stream_reports_is_found_by_the_listing_of_runs(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.faults.lose_updates = True
    action = flyte.server.model.ask("r1", "q")
    flyte.server.model.ask("r2", "other")
    watching = client.watch(None)
    await watching.pending(["q", "other"])
    flyte.server.model.signal_directly("r1", action, True)
    await watching.pending(["other"])


@timed(IDLE, resync_interval=0.05, resyncs_per_second=NEVER)
async def test_what_streams_miss_after_the_backend_lost_its_database_is_found_by_listings(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"q{place}" for place in range(20)]
    for name in names:
        flyte.server.model.ask(f"run of {name}", name)
    watching = client.watch(None)
    await watching.pending(names)
    await settled(flyte, LISTED)
    flyte.server.faults.lose_updates = True  # its streams stay open all the while
    flyte.server.model.ask("run of q7", "unheard")
    await polled(flyte, 10)
    assert "unheard" not in watching.picture.pending()
    lost = hostile.status("INTERNAL", "terminating connection (SQLSTATE 57P01)")
    flyte.server.hostile.script(RUNS, [lost])
    await watching.pending([*names, "unheard"])
    assert flyte.server.open_streams[STREAM] == len(names)


async def test_a_deployment_that_cannot_sort_by_update_is_listed_whole(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = (await flyte.connected()).service
    runs = service.runs

    async def refuses(*words: Any) -> Any:
        if "updated_at" in words:
            raise RpcError("INVALID_ARGUMENT", "invalid sort field: updated_at")
        return await runs(*words)

    monkeypatch.setattr(service, "runs", refuses)
    watching = client.watch(None)
    await watching.synced()
    flyte.server.model.ask("r1", "q")
    await watching.pending(["q"])
    flyte.server.model.ask("r2", "other")
    await watching.pending(["q", "other"])


async def test_an_internal_error_in_polling_the_runs_ends_no_watch(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.model.ask("r1", "q")
    watching = client.watch(None)
    await watching.pending(["q"])
    broken = 0

    async def breaks(*_: Any) -> Any:
        nonlocal broken
        broken += 1
        raise ValueError("a run that nobody has thought of")

    with monkeypatch.context() as patched:
        patched.setattr((await flyte.connected()).service, "runs", breaks)
        await until(lambda: broken > PERSISTENT_FAILURES)
        await watching.until(lambda picture: picture.disconnected)
    flyte.server.model.ask("r2", "other")
    await watching.pending(["q", "other"])
    (lost,) = [update for update in watching.picture.updates if isinstance(update, Disconnected)]
    assert lost.error.kind == "internal_error"


def test_idle_runs_are_resynced_at_a_rate_that_all_of_them_share() -> None:
    rates = SharedRates(StreamLimiter(lambda: 1000), Timing())
    rates.streams.open = 1000
    intervals = [Schedule(rates).resync(streaming=True, rows=1) for _ in range(1000)]
    assert sum(1 / interval for interval in intervals) < 1.5
    assert max(intervals) - min(intervals) > 500  # for all may have begun at once


def test_a_run_that_has_changed_is_resynced_soon() -> None:
    rates = SharedRates(StreamLimiter(lambda: 1000), Timing())
    rates.streams.open = 1000
    intervals = Schedule(rates)
    intervals.changed()
    assert intervals.resync(streaming=True, rows=1) < 15
    intervals.resynced(streaming=True)
    assert intervals.resync(streaming=True, rows=1) > 15


def test_poll_intervals_grow_from_a_second_to_less_than_fifteen() -> None:
    intervals = Schedule(SharedRates(StreamLimiter(lambda: 1000), Timing()))
    found = []
    for _ in range(20):
        found.append(intervals.poll(unreported=1))
        intervals.resynced(streaming=False)
    assert found[0] < 2
    assert 10 < found[-1] < 15
    intervals.changed()
    assert intervals.poll(unreported=1) < 2


def test_a_thousand_unreported_answers_are_polled_within_a_bounded_rate() -> None:
    rates = SharedRates(StreamLimiter(lambda: 1000), Timing())
    schedules = [Schedule(rates) for _ in range(1000)]
    for one in schedules:
        one.poll(unreported=1)
    rate = sum(1 / one.poll(unreported=1) for one in schedules)
    assert rate < 1.5 * Timing().polls_per_second
    for one in schedules:
        one.close()
    assert (rates.runs, rates.unreported_answers) == (0, 0)


@NEW
async def test_the_details_of_a_pending_event_are_fetched_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    actions = {
        f"q{place}": model.ask(f"r{place % 3}", f"q{place}", prompt="How many?")
        for place in range(30)
    }
    first = await client.pending(limit=7)
    assert flyte.server.calls[DETAILS] == 30
    assert {event.prompt for event in first} == {"How many?"}
    assert await client.pending() == first
    watching = client.watch(None)
    picture = await watching.pending(actions)
    assert sorted(map(repr, picture.events.values())) == sorted(map(repr, first))
    assert flyte.server.calls[DETAILS] == 30
    model.signal_directly("r1", actions["q1"], True)
    assert len(await client.pending()) == 29
    await watching.pending(set(actions) - {"q1"})


@OLD
async def test_where_listings_hide_answers_the_details_are_fetched_each_time(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = flyte.server.model.ask("r1", "q")
    flyte.server.model.ask("r2", "other")
    assert len(await client.pending()) == 2
    flyte.server.model.signal_directly("r1", action, True)
    assert [event.name for event in await client.pending()] == ["other"]


@timed(IDLE, row_freshness=-1.0)
async def test_an_event_answered_long_after_the_first_page_is_on_no_later_page(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.model.ask("r1", "first")
    action = flyte.server.model.ask("r2", "q")
    assert len(await client.pending()) == 2
    page = await client.pending_page(limit=1)
    assert [event.name for event in page.events] == ["first"]
    flyte.server.model.signal_directly("r2", action, True)
    page = await client.pending_page(limit=1, cursor=page.next_cursor)
    assert page.events == []


async def test_prompts_beyond_the_size_of_the_cache_are_fetched_again(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_DETAILS_BYTES", 20_000)
    for place in range(20):
        flyte.server.model.ask("r1", f"q{place}", prompt="p" * 4000)
    first = await client.pending()
    assert await client.pending() == first
    assert 2 * 20 - 5 < flyte.server.calls[DETAILS] <= 2 * 20
