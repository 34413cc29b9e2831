"""Events that ended before the backend was upgraded: all methods agree on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.read import actions, pending_evidence
from flyte_sidecar.events.model import ABORTED, PAUSED, SUCCEEDED, TIMED_OUT, Event
from tests.backends.flyte.scenarios import ask, prove, timed, until
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

pytestmark = pytest.mark.parametrize("release", ["2.0.28", "2.0.42"])

DETAILS = "GetActionDetails"


async def upgrade(flyte: FlyteHarness) -> None:
    """Upgrade the backend, and forget what its connection knew."""
    await flyte.close()
    await asyncio.to_thread(flyte.server.upgrade, "2.0.43")
    flyte.server.calls.clear()


def leave(flyte: FlyteHarness, prefix: str = "") -> dict[str, str]:
    """Leave events of every kind behind; return their phases."""
    model = flyte.server.model
    model.signal_directly(RUN.name, ask(flyte, f"{prefix}answered"), True)
    model.abort_directly(RUN.name, ask(flyte, f"{prefix}aborted"))
    ask(flyte, f"{prefix}late", expires_in=5)
    ask(flyte, f"{prefix}open", expires_in=99_999)
    flyte.pass_time(70)
    return {
        f"{prefix}answered": SUCCEEDED,
        f"{prefix}aborted": ABORTED,
        f"{prefix}late": TIMED_OUT,
        f"{prefix}open": PAUSED,
    }


def crowd(flyte: FlyteHarness) -> dict[str, str]:
    """Create so many events that a snapshot supplies their names; return their phases."""
    for place in range(40):
        ask(flyte, f"new{place}")
    return {f"new{place}": PAUSED for place in range(40)}


def phases(events: list[Event]) -> dict[str, str]:
    assert all(event.pending is (event.phase == PAUSED) for event in events)
    return {event.name: event.phase for event in events}


async def by_listing(client: BackendClient) -> dict[str, str]:
    return phases(await client.listing(details=False))


async def by_details(client: BackendClient) -> dict[str, str]:
    return phases(await client.listing(details=True))


async def by_phases(client: BackendClient) -> dict[str, str]:
    found = {}
    for phase in (PAUSED, SUCCEEDED, ABORTED, TIMED_OUT):
        of_phase = await client.listing(phases=[phase], details=False)
        assert {event.phase for event in of_phase} == {phase}
        found |= phases(of_phase)
    return found


async def by_watch(client: BackendClient) -> dict[str, str]:
    watching = client.watch()
    found = phases([*(await watching.synced()).events.values()])
    await watching.close()
    return found


async def by_get(client: BackendClient) -> dict[str, str]:
    listed = await client.listing(details=False)
    found = [await client.get(event.name) for event in listed]
    return phases([event for event in found if event is not None])


ASK = (by_listing, by_details, by_phases, by_watch, by_get)


@pytest.mark.parametrize("first", ASK)
async def test_all_methods_agree_on_what_ended_before_an_upgrade(
    client: BackendClient,
    flyte: FlyteHarness,
    first: Callable[[BackendClient], Awaitable[dict[str, str]]],
) -> None:
    expected = leave(flyte)
    await upgrade(flyte)
    ask(flyte, "new")
    expected["new"] = PAUSED
    assert await first(client) == expected
    for method in ASK:
        assert await method(client) == expected
    waiting = {event.name for event in await client.pending()}
    assert waiting == {"open", "new"}
    for pending_only in (True, False):
        (run,) = await client.runs(pending_only=pending_only)
        assert run.pending_events == 2
    watching = client.watch(None)
    await watching.pending(["open", "new"])
    assert (await client.wait("answered")).payload is True
    assert (await client.wait("late")).phase == TIMED_OUT


async def test_runs_in_which_all_was_answered_before_an_upgrade_have_nothing_pending(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for run in ("r1", "r2"):
        action = flyte.server.model.ask(run, "q")
        flyte.server.model.signal_directly(run, action, True)
    flyte.server.model.ask("r3", "q")
    await upgrade(flyte)
    assert [run.run_name for run in await client.runs(pending_only=True)] == ["r3"]
    assert {run.run_name: run.pending_events for run in await client.runs()} == {
        "r1": 0,
        "r2": 0,
        "r3": 1,
    }
    assert flyte.server.calls[DETAILS] == 3
    assert [event.run_name for event in await client.pending()] == ["r3"]


async def test_each_doubtful_event_is_read_once_by_all_methods_together(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(300):
        action = ask(flyte, f"q{place}")
        if place % 3:
            flyte.server.model.signal_directly(RUN.name, action, True)
    await upgrade(flyte)
    await client.runs()
    assert flyte.server.calls[DETAILS] == 300
    for _ in range(2):
        listed = await client.listing(details=False, phases=[PAUSED])
        assert [event.name for event in listed] == [f"q{place}" for place in range(0, 300, 3)]
        assert (await client.runs())[0].pending_events == 100
    assert flyte.server.calls[DETAILS] == 300


async def test_what_was_created_after_an_end_that_only_the_new_release_records_is_not_checked(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    left = leave(flyte, "old-")
    await upgrade(flyte)
    prove(flyte)
    for place in range(300):
        ask(flyte, f"q{place}")
    found = await by_listing(client)
    assert found == {**left, "first": SUCCEEDED, **{f"q{place}": PAUSED for place in range(300)}}
    assert flyte.server.calls[DETAILS] == 3  # the old ones, but for the aborted one
    assert flyte.server.calls["WatchActions"] == 1


async def test_an_earlier_event_that_ended_later_proves_nothing(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    earlier = ask(flyte, "earlier")
    flyte.pass_time(100)
    model.signal_directly(RUN.name, ask(flyte, "answered"), True)
    flyte.pass_time(100)
    await upgrade(flyte)
    model.signal_directly(RUN.name, earlier, True)
    expected = {"earlier": SUCCEEDED, "answered": SUCCEEDED, **crowd(flyte)}
    assert await by_listing(client) == expected


async def test_an_event_that_was_answered_before_it_was_paused_proves_nothing(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    model.signal_directly(RUN.name, ask(flyte, "quick", queued=True), True)
    flyte.pass_time(100)
    model.signal_directly(RUN.name, ask(flyte, "answered"), True)
    await upgrade(flyte)
    expected = {"quick": SUCCEEDED, "answered": SUCCEEDED, **crowd(flyte)}
    assert await by_listing(client) == expected


async def test_an_abort_proves_nothing(client: BackendClient, flyte: FlyteHarness) -> None:
    model = flyte.server.model
    aborted = ask(flyte, "aborted")
    flyte.pass_time(100)
    model.abort_directly(RUN.name, aborted)
    flyte.pass_time(100)
    model.signal_directly(RUN.name, ask(flyte, "answered"), True)
    await upgrade(flyte)
    expected = {"aborted": ABORTED, "answered": SUCCEEDED, **crowd(flyte)}
    assert await by_listing(client) == expected


async def test_an_answer_whose_phase_lags_is_reported_after_the_cache_evicted_it(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    await upgrade(flyte)
    prove(flyte)
    action = ask(flyte, "q")
    expected = {"first": SUCCEEDED, "q": PAUSED, **crowd(flyte)}
    assert await by_listing(client) == expected
    flyte.server.model.phase_lag = 3600
    flyte.server.model.signal_directly(RUN.name, action, True)
    found = await client.get("q")
    assert found is not None
    assert found.phase == SUCCEEDED
    (await flyte.connected()).reader.cache._details.clear()  # as others take its place
    expected["q"] = SUCCEEDED
    assert await by_listing(client) == expected


@pytest.mark.parametrize("source", ["listing", "runs"])
async def test_a_timeout_before_an_upgrade_is_computed_once_the_backends_clock_shows_it(
    client: BackendClient, flyte: FlyteHarness, source: str
) -> None:
    ask(flyte, "late", expires_in=5)
    flyte.pass_time(70)
    await upgrade(flyte)
    for _ in range(2):
        assert await by_listing(client) == {"late": PAUSED}
    if source == "runs":
        flyte.server.model.task("r2", "work")
        assert len(await client.runs()) == 2
    else:
        flyte.server.model.ask("r2", "new")
        assert len((await client.page(replace(RUN, name="r2"))).events) == 1
    assert await by_listing(client) == {"late": TIMED_OUT}


async def test_an_upgrade_is_detected_on_an_open_connection(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = 1000.0
    monkeypatch.setattr(actions, "monotonic", lambda: instant)
    left = leave(flyte)
    assert await by_listing(client) == left
    action = ask(flyte, "just")
    watching = client.watch()
    await watching.until(lambda picture: picture.pending() == {"open", "just"})
    flyte.server.faults.lose_updates = True
    flyte.server.model.signal_directly(RUN.name, action, True)
    await asyncio.to_thread(flyte.server.upgrade, "2.0.43")
    instant += actions.FILTER_RETRY_INTERVAL + 1
    left["just"] = SUCCEEDED
    await watching.until(lambda picture: picture.synced and picture.pending() == {"open"})
    assert await by_listing(client) == left
    lister = (await flyte.connected()).lister
    assert lister.updates_phases
    flyte.server.calls.clear()
    assert await by_listing(client) == left
    assert flyte.server.calls[DETAILS] == 0


async def test_checks_that_were_made_before_a_downgrade_count_no_longer(
    client: BackendClient, flyte: FlyteHarness, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = 1000.0
    monkeypatch.setattr(actions, "monotonic", lambda: instant)
    await asyncio.to_thread(flyte.server.upgrade, "2.0.43")
    action = ask(flyte)
    for _ in range(2):
        assert await by_listing(client) == {"q": PAUSED}
    await asyncio.to_thread(flyte.server.upgrade, release)
    await client.listing()
    flyte.server.model.signal_directly(RUN.name, action, True)
    await asyncio.to_thread(flyte.server.upgrade, "2.0.43")
    instant += actions.FILTER_RETRY_INTERVAL + 1
    assert await by_listing(client) == {"q": SUCCEEDED}


async def test_counting_what_is_pending_learns_of_an_upgrade_too(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = 1000.0
    monkeypatch.setattr(actions, "monotonic", lambda: instant)
    leave(flyte)
    await client.runs()
    await asyncio.to_thread(flyte.server.upgrade, "2.0.43")
    instant += actions.FILTER_RETRY_INTERVAL + 1
    for _ in range(2):
        flyte.server.calls.clear()
        (run,) = await client.runs()
        assert run.pending_events == 1
    assert flyte.server.calls[DETAILS] == 0


async def test_what_is_remembered_of_checks_is_bounded(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_evidence, "MAX_CONFIRMED", 10)
    await upgrade(flyte)
    for place in range(50):
        ask(flyte, f"q{place}")
    for _ in range(2):
        assert len(await by_listing(client)) == 50
    evidence = (await flyte.connected()).lister.evidence
    assert len(evidence._confirmed) == 10


@timed(poll_interval=3600.0)
async def test_waits_across_an_upgrade_end_with_what_was_answered_before_it(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = 1000.0
    monkeypatch.setattr(actions, "monotonic", lambda: instant)
    names = [ask(flyte, f"q{number}") for number in range(5)]
    waiting = [asyncio.ensure_future(client.wait(action_name=name)) for name in names]
    await until(lambda: flyte.server.open_streams["WatchActions"] == 1)
    instant += actions.FILTER_RETRY_INTERVAL + 1
    await asyncio.to_thread(flyte.server.stop)
    for name in names:
        flyte.server.model.signal_directly(RUN.name, name, True)
    flyte.server.model.upgrade("2.0.43")
    await asyncio.to_thread(flyte.server.start)
    async with asyncio.timeout(TEST_TIMEOUT):
        assert [event.payload for event in await asyncio.gather(*waiting)] == [True] * 5
