"""Informers: subscribers that join and leave while they read, and partial or lasting failures."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import grpc
import pytest

from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, RpcError
from flyte_sidecar.backends.flyte.watch import informer, refresh_failures, stream
from flyte_sidecar.errors import (
    BackendError,
    EventNotFound,
    InternalError,
    ShuttingDown,
    SidecarError,
)
from flyte_sidecar.events.coalescing import Disconnected
from flyte_sidecar.events.model import PAUSED, SUCCEEDED
from tests.backends.flyte.scenarios import EVERY, OLD, OLD_AND_NEW, ask, timed, until
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

STREAM, DETAILS = "WatchActions", "GetActionDetails"
OUT_OF_INK = RpcError("INTERNAL", "pq: out of ink")
BROKEN = ValueError("a payload that no log line may have")


class Held:
    """Holds the calls for one action's details until they are let go, or lets them fail."""

    def __init__(self, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held: set[str] = set()
        self.held_from_the_second_on: set[str] = set()
        self.failing: dict[str, Exception] = {}
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.go = asyncio.Event()
        self._flyte = flyte
        self._monkeypatch = monkeypatch

    async def begin(self) -> Held:
        reader = (await self._flyte.connected()).reader
        event = reader.event

        async def slow(run: Any, action: str, *words: Any, **more: Any) -> Any:
            self.begun[action] += 1
            if action in self.failing:
                raise self.failing[action]
            found = await event(run, action, *words, **more)
            later = action in self.held_from_the_second_on and self.begun[action] > 1
            if action in self.held or later:
                await self.go.wait()
            self.ended[action] += 1
            return found

        self._monkeypatch.setattr(reader, "event", slow)
        return self


@pytest.fixture
def details(flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(flyte, monkeypatch)


@EVERY
async def test_a_watch_that_joins_while_a_wait_is_refreshed_gets_all_events_first(
    client: BackendClient, flyte: FlyteHarness, details: Held
) -> None:
    for place in range(5):
        flyte.server.model.signal_directly(RUN.name, ask(flyte, f"answered{place}"), True)
    ask(flyte, "open")
    action = ask(flyte, "q")
    await details.begin()
    waits = asyncio.ensure_future(client.wait(action_name=action))
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    await until(lambda: details.ended[action] >= 2)  # to choose it, and the first refresh
    details.held.add(action)
    flyte.server.model.signal_directly(RUN.name, action, True)
    flyte.server.model.finish_run(RUN.name)
    begun = details.begun[action]
    await until(lambda: details.begun[action] > begun)
    watching = client.watch()  # while the event is read for the wait
    await asyncio.sleep(0)
    details.held.clear()
    details.go.set()
    assert (await waits).payload is True
    picture = await watching.synced()
    assert len(picture.events) == 7
    assert picture.pending() == {"open"}
    assert not watching.feed.done()


@EVERY
async def test_a_watch_that_joins_during_the_first_read_for_a_wait_gets_all_events_first(
    client: BackendClient, flyte: FlyteHarness, details: Held
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(5)]
    await details.begin()
    details.held_from_the_second_on.add(actions[0])
    waits = asyncio.ensure_future(client.wait(action_name=actions[0]))
    await until(lambda: details.begun[actions[0]] == 2)
    watching = client.watch()
    await asyncio.sleep(0)
    details.held_from_the_second_on.clear()
    details.go.set()
    assert len((await watching.synced()).events) == 5
    waits.cancel()


async def test_a_watch_that_joins_as_the_last_one_leaves_gets_all_events_first(
    client: BackendClient, flyte: FlyteHarness, details: Held
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(5)]
    await details.begin()
    waits = asyncio.ensure_future(client.wait(action_name=actions[0]))
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    details.held.add(actions[4])
    first = client.watch()
    await until(lambda: details.begun[actions[4]] == 1)
    await first.close()
    second = client.watch()
    await asyncio.sleep(0)
    details.held.clear()
    details.go.set()
    picture = await second.synced()
    assert len(picture.events) == 5
    waits.cancel()


@timed(resync_interval=3600.0)
@EVERY
async def test_a_wait_for_what_a_watch_has_seen_resolved_ends_at_once(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = ask(flyte)
    event = await client.get("q")
    assert event is not None
    watching = client.watch()
    await watching.pending(["q"])
    flyte.server.model.signal_directly(RUN.name, action, True)
    await watching.pending([])
    # As if its event had been read just before the answer.
    assert (await flyte.backend().resolved(event)).payload is True


@EVERY
async def test_an_event_that_cannot_be_read_does_not_delay_the_others(
    client: BackendClient, flyte: FlyteHarness, details: Held
) -> None:
    flyte.server.faults.lose_updates = True
    actions = [ask(flyte, f"q{place}") for place in range(150)]
    await details.begin()
    watching = client.watch()
    await watching.synced()
    waits = asyncio.ensure_future(client.wait(action_name=actions[149]))
    await until(lambda: details.begun[actions[149]] >= 2)
    details.failing[actions[0]] = OUT_OF_INK
    for action in actions[1:]:
        flyte.server.model.signal_directly(RUN.name, action, True)
    flyte.server.faults.drop_streams()
    assert (await waits).payload is True
    await watching.until(lambda picture: picture.pending() == {"q0"})


@pytest.mark.parametrize("fault", [BROKEN, InvalidResponse("garbage"), OUT_OF_INK])
@OLD_AND_NEW
async def test_an_event_that_cannot_be_refreshed_for_a_moment_is_no_news_to_anybody(
    client: BackendClient, flyte: FlyteHarness, details: Held, fault: Exception
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(3)]
    await details.begin()
    waits = [asyncio.ensure_future(client.wait(action_name=action)) for action in actions]
    watching = client.watch()
    await watching.synced()
    details.failing[actions[0]] = fault
    flyte.server.model.signal_directly(RUN.name, actions[0], True)
    await until(lambda: details.begun[actions[0]] > details.ended[actions[0]])
    details.failing.clear()
    assert (await waits[0]).payload is True
    await watching.pending(["q1", "q2"])
    assert not any(one.done() for one in (waits[1], waits[2], watching.feed))
    for one in waits:
        one.cancel()


@pytest.mark.parametrize(
    ("fault", "kind"), [(BROKEN, "internal_error"), (InvalidResponse("garbage"), "backend_error")]
)
@OLD_AND_NEW
async def test_an_event_that_can_never_be_refreshed_ends_only_the_waits_for_it(
    client: BackendClient,
    flyte: FlyteHarness,
    details: Held,
    fault: Exception,
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(3)]
    await details.begin()
    waits = [asyncio.ensure_future(client.wait(action_name=action)) for action in actions]
    early = client.watch()
    await early.synced()
    details.failing[actions[0]] = fault
    for action in actions[:2]:
        flyte.server.model.signal_directly(RUN.name, action, True)
    with pytest.raises(SidecarError) as failed:
        await waits[0]
    assert failed.value.kind == kind
    assert (await waits[1]).payload is True
    await early.pending(["q0", "q2"])
    late = client.watch()
    picture = await late.synced()
    assert "q2" in picture.named()
    assert not any(one.done() for one in (waits[2], early.feed, late.feed))
    lines = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert len(lines) == (kind == "internal_error")
    assert not any("payload" in line or "\n" in line for line in lines)
    details.failing.clear()
    flyte.server.faults.drop_streams()  # which resyncs the run
    await early.pending(["q2"])
    waits[2].cancel()


@pytest.mark.parametrize("errors", [1, refresh_failures.PERSISTENT_FAILURES])
async def test_an_internal_error_in_refreshing_a_run_ends_its_subscribers_only_if_it_persists(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch, errors: int
) -> None:
    action = ask(flyte)
    waits = asyncio.ensure_future(client.wait("q"))
    watching = client.watch()
    await watching.synced()
    lister = (await flyte.connected()).reader.lister
    list_all = lister.list_all
    left = errors

    async def breaks(*words: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise BROKEN
        return await list_all(*words)

    monkeypatch.setattr(lister, "list_all", breaks)
    flyte.server.faults.drop_streams()
    await until(lambda: left <= 0)
    if errors < refresh_failures.PERSISTENT_FAILURES:
        flyte.server.model.signal_directly(RUN.name, action, True)
        assert (await waits).payload is True
        await watching.pending([])
        return
    with pytest.raises(InternalError) as failed:
        await waits
    assert failed.value.retryable
    assert isinstance(await watching.error(), InternalError)


async def test_a_message_that_breaks_a_stream_leaves_the_run_to_polls(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = ask(flyte)
    waits = asyncio.ensure_future(client.wait("q"))
    watching = client.watch()
    await watching.synced()
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    with monkeypatch.context() as patched:
        patched.setattr(informer, "event_metadata", None)
        flyte.server.model.task(RUN.name, "work")
        await until(lambda: flyte.server.open_streams[STREAM] == 0)
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await waits).payload is True
    await watching.pending([])
    assert not [update for update in watching.picture.updates if isinstance(update, Disconnected)]
    assert flyte.server.calls[STREAM] == 1


@EVERY
async def test_an_event_of_one_run_that_can_never_be_refreshed_ends_no_inbox(
    client: BackendClient, flyte: FlyteHarness, details: Held
) -> None:
    for place in range(3):
        flyte.server.model.ask(f"r{place}", f"q{place}", action=f"c{place}")
    await details.begin()
    details.failing["c1"] = BROKEN
    watching = client.watch(None)
    await watching.pending(["q0", "q2"])
    await until(lambda: flyte.server.open_streams[STREAM] == 3)
    details.failing.clear()
    flyte.server.faults.drop_streams()
    await watching.pending(["q0", "q1", "q2"])


@timed(resync_interval=0.05)
async def test_of_hundreds_of_waits_one_for_an_event_that_is_gone_ends(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(10)]
    waits = [asyncio.ensure_future(client.wait(action_name=action)) for action in actions]
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    run = flyte.server.model._runs[flyte.server.model.key(RUN.name)]
    with flyte.server.model.lock:
        del run.actions[actions[3]]
        run._ids.remove(actions[3])
        run._created = [one for one in run._created if one[1] != actions[3]]
    with pytest.raises(EventNotFound):
        await waits[3]
    for one in waits:
        one.cancel()


@EVERY
async def test_changes_after_the_feed_of_a_run_failed_still_reach_the_inbox(
    client: BackendClient, flyte: FlyteHarness, details: Held
) -> None:
    model = flyte.server.model
    action = model.ask("r1", "q")
    model.ask("r2", "other")
    await details.begin()
    watching = client.watch(None)
    await watching.pending(["q", "other"])
    session = await flyte.connected()
    informer = next(one for run, one in session.informers._informers.items() if run.name == "r1")
    informer.subscribers.fail(_retryable())
    model.signal_directly("r1", action, True)  # and the run is in no list any more
    await watching.pending(["other"])


def _retryable() -> BackendError:
    error = BackendError("the backend is not well")
    error.retryable = True
    return error


async def test_an_inbox_is_not_synced_before_every_run_is(
    client: BackendClient, flyte: FlyteHarness, details: Held
) -> None:
    actions = [flyte.server.model.ask(f"r{place}", f"q{place}") for place in range(10)]
    await details.begin()
    details.failing[actions[3]] = OUT_OF_INK
    watching = client.watch(None)
    error = await watching.error()  # before all is reported, any error ends it
    assert error.kind == "backend_error"
    watching.take()
    assert not watching.picture.synced


@timed(inbox_interval=0.1, retry_delay=0.1, max_retry_delay=0.5)
async def test_retries_back_off_where_the_deployment_limits_the_rate(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.model.ask("r1", "q")
    watching = client.watch(None)
    await watching.pending(["q"])
    flyte.server.calls.clear()
    limited = (grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")
    flyte.server.faults.errors |= {DETAILS: limited, STREAM: limited}
    flyte.server.faults.drop_streams()
    await until(lambda: flyte.server.calls["ListRuns"] >= 5)
    assert flyte.server.calls["ListActions"] <= 5 * flyte.server.calls["ListRuns"]
    assert not watching.feed.done()


async def test_streams_that_break_soon_are_not_reopened_for_a_while(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    # As for a run of thousands, of which the second message fails.
    flyte.server.service.page_size = 2
    for place in range(5):
        ask(flyte, f"q{place}")
    watching = client.watch()
    await watching.synced()
    for _ in range(stream.MAX_SHORT_FAILURES):
        await until(lambda: flyte.server.open_streams[STREAM] == 1)
        flyte.server.faults.break_streams()
        await until(lambda: flyte.server.open_streams[STREAM] == 0)
        await watching.until(lambda picture: not picture.disconnected)
    ask(flyte, "new")
    await watching.until(lambda picture: "new" in picture.named())
    assert flyte.server.calls[STREAM] <= stream.MAX_SHORT_FAILURES + 1
    reported = sum(isinstance(update, Disconnected) for update in watching.picture.updates)
    assert reported <= stream.MAX_SHORT_FAILURES


async def test_runs_are_polled_behind_a_proxy_that_passes_no_streams(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.faults.errors[STREAM] = (grpc.StatusCode.UNAVAILABLE, "no streams here")
    action = ask(flyte)
    waits = asyncio.ensure_future(client.wait("q"))
    await until(lambda: flyte.server.calls[STREAM] >= stream.MAX_SHORT_FAILURES)
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await waits).payload is True
    assert flyte.server.calls[STREAM] <= stream.MAX_SHORT_FAILURES + 1


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "ABORTED"])
async def test_a_wait_survives_what_may_pass(
    client: BackendClient, flyte: FlyteHarness, code: str
) -> None:
    action = ask(flyte)
    waits = asyncio.ensure_future(client.wait("q"))
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    flyte.server.faults.errors[DETAILS] = (grpc.StatusCode[code], "not now")
    flyte.server.faults.drop_streams()
    seen = flyte.server.calls[DETAILS]
    await until(lambda: flyte.server.calls[DETAILS] >= seen + 3)
    assert not waits.done()
    flyte.server.model.signal_directly(RUN.name, action, True)
    flyte.server.faults.errors.clear()
    assert (await waits).payload is True


@EVERY
async def test_a_run_whose_phase_cannot_be_read_stays_watched(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    denied = (grpc.StatusCode.PERMISSION_DENIED, "not for you")
    flyte.server.faults.errors["GetRunDetails"] = denied
    watching = client.watch()
    await watching.synced()
    action = ask(flyte)
    await watching.pending(["q"])
    flyte.server.model.signal_directly(RUN.name, action, True)
    await watching.pending([])
    assert not watching.feed.done()


@timed(interval_growth=1.0)
@OLD
async def test_a_run_of_thousands_is_not_listed_every_second(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2000):
        flyte.server.model.task(RUN.name, "work", phase="SUCCEEDED")
    action = ask(flyte)
    watching = client.watch()
    await watching.pending(["q"])
    listed = flyte.server.calls["ListActions"]
    seen = flyte.server.calls[DETAILS]
    await until(lambda: flyte.server.calls[DETAILS] >= seen + 10)
    assert flyte.server.calls["ListActions"] == listed
    flyte.server.model.signal_directly(RUN.name, action, True)
    await watching.pending([])


async def test_a_request_that_waits_for_the_connection_ends_when_it_is_closed(
    flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend: Any = flyte.backend()
    connecting = asyncio.Event()

    async def never() -> Any:
        connecting.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(backend, "_open", never)
    checking = asyncio.ensure_future(backend.check())
    await connecting.wait()
    await flyte.close()
    with pytest.raises(ShuttingDown):
        await checking


async def test_a_change_that_is_reported_twice_is_delivered_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    watching = client.watch()
    await watching.pending(["q"])
    (event,) = watching.picture.events.values()
    assert (event.phase, watching.picture.changes()) == (PAUSED, [("created", "q")])
    await client.signal("q", True)
    await watching.pending([])
    (event,) = watching.picture.events.values()
    assert (event.phase, len(watching.picture.changes())) == (SUCCEEDED, 2)
