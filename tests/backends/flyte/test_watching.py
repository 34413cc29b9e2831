"""Watches of a run: what they cost, and what they report when streams and the backend fail."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.rpc import grpc_transport
from flyte_sidecar.backends.flyte.watch import stream
from flyte_sidecar.errors import BackendUnavailable, PermissionDenied, ShuttingDown
from flyte_sidecar.events.coalescing import Disconnected
from flyte_sidecar.events.model import ABORTED, PAUSED, SUCCEEDED
from tests.backends.flyte.scenarios import EVERY, OLD_AND_NEW, ask, timed, until
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient, Watching
from tests.fake_runservice.actions import StatusError
from tests.fake_runservice.hostile import meanwhile, served, status

STREAM = "WatchActions"


async def begun(client: BackendClient, flyte: FlyteHarness) -> Watching:
    """Return a watch of the run, once it is synced and its stream is open."""
    watching = client.watch()
    await watching.synced()
    await until(lambda: flyte.server.open_streams[STREAM] == 1)
    return watching


async def test_all_watches_and_waits_of_a_run_share_one_stream(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(20)]
    watching = [client.watch() for _ in range(50)]
    waits = [asyncio.ensure_future(client.wait(action_name=action)) for action in actions * 10]
    for one in watching:
        await one.pending(f"q{place}" for place in range(20))
    for action in actions:
        flyte.server.model.signal_directly(RUN.name, action, True)
    for one in watching:
        await one.pending([])
    assert len(await asyncio.gather(*waits)) == 200
    assert flyte.server.calls[STREAM] == 1
    assert flyte.server.open_streams[STREAM] == 1
    for one in watching:
        await one.close()
    await until(lambda: flyte.server.open_streams[STREAM] == 0)


@EVERY
async def test_pending_events_and_answers_are_reported_in_full(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte, "q", "int", prompt="How many?", expires_in=3600)
    watching = await begun(client, flyte)
    (event,) = watching.picture.events.values()
    assert (event.partial, event.prompt, event.expected_type) == (False, "How many?", "int")
    flyte.server.model.signal_directly(RUN.name, action, 7, by="alice")
    await watching.pending([])
    (event,) = watching.picture.events.values()
    assert (event.phase, event.payload, event.signalled_by) == (SUCCEEDED, 7, "alice")


@EVERY
async def test_a_queued_event_is_reported_again_once_it_is_paused(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    watching = await begun(client, flyte)
    action = ask(flyte, queued=True)
    await watching.until(lambda picture: len(picture.events) == 1)
    flyte.server.model.reconcile(RUN.name, action)
    await watching.until(lambda picture: picture.named()["q"].phase == PAUSED)
    assert watching.picture.changes()[0] == ("created", "q")


@pytest.mark.parametrize("release", ["2.0.43", "hosted"])
async def test_what_is_resolved_when_a_watch_begins_costs_no_details(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(300):
        flyte.server.model.signal_directly(RUN.name, ask(flyte, f"q{place}"), True)
    ask(flyte, "open")
    watching = await begun(client, flyte)
    assert len(watching.picture.events) == 301
    assert watching.picture.pending() == {"open"}
    assert flyte.server.calls["GetActionDetails"] <= 2


@pytest.mark.parametrize("fault", ["drop_streams", "break_streams"])
@EVERY
async def test_changes_while_the_stream_was_broken_are_reported_before_resynced(
    client: BackendClient, flyte: FlyteHarness, fault: str
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(3)]
    watching = await begun(client, flyte)
    getattr(flyte.server.faults, fault)()
    flyte.server.model.signal_directly(RUN.name, actions[0], True)
    await watching.until(lambda picture: picture.disconnected)
    picture = await watching.until(lambda picture: not picture.disconnected)
    assert picture.pending() == {"q1", "q2"}
    (lost,) = [update for update in picture.updates if isinstance(update, Disconnected)]
    assert lost.error.retryable


@EVERY
async def test_a_server_that_stops_and_restarts_is_reported_and_reconnected(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(3)]
    watching = await begun(client, flyte)
    await asyncio.to_thread(flyte.server.stop)
    await watching.until(lambda picture: picture.disconnected)
    (lost,) = [update for update in watching.picture.updates if isinstance(update, Disconnected)]
    assert isinstance(lost.error, BackendUnavailable)
    flyte.server.model.abort_directly(RUN.name, actions[1], "why")
    ask(flyte, "new")
    await asyncio.to_thread(flyte.server.start)
    picture = await watching.until(lambda picture: not picture.disconnected)
    assert picture.pending() == {"q0", "q2", "new"}
    assert picture.named()["q1"].phase == ABORTED


async def test_an_error_before_synced_ends_a_watch(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    await asyncio.to_thread(flyte.server.stop)
    assert isinstance(await client.watch().error(), BackendUnavailable)


@OLD_AND_NEW
async def test_an_error_that_cannot_be_mended_ends_a_watch(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    watching = await begun(client, flyte)
    denied = (grpc.StatusCode.PERMISSION_DENIED, "not any more")
    flyte.server.faults.errors["ListActions"] = denied
    flyte.server.faults.drop_streams()
    assert isinstance(await watching.error(), PermissionDenied)
    flyte.server.faults.errors.clear()
    await (await begun(client, flyte)).pending(["q"])  # the next one is not the worse for it


@EVERY
async def test_a_run_whose_stream_never_works_is_polled(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    unknown = (grpc.StatusCode.UNKNOWN, "parent node [x] not found for action [y]")
    flyte.server.faults.errors[STREAM] = unknown
    action = ask(flyte)
    watching = client.watch()
    await watching.pending(["q"])
    flyte.server.model.signal_directly(RUN.name, action, True)
    await watching.pending([])
    assert not [update for update in watching.picture.updates if isinstance(update, Disconnected)]
    await watching.close()
    again = client.watch()
    for name in ("r", "s", "t"):
        action = ask(flyte, name)
        await again.pending([name])
        flyte.server.model.signal_directly(RUN.name, action, True)
        await again.pending([])
    # The second watch tries again if the first one ended before it had failed often enough.
    assert flyte.server.calls[STREAM] <= 2 * stream.MAX_SHORT_FAILURES


@timed(resync_interval=0.05)
@EVERY
async def test_changes_that_the_stream_does_not_report_are_found(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.faults.lose_updates = True
    actions = [ask(flyte, f"q{place}") for place in range(3)]
    watching = await begun(client, flyte)
    flyte.server.model.signal_directly(RUN.name, actions[0], True)
    flyte.server.model.abort_directly(RUN.name, actions[1])
    ask(flyte, "new")
    await watching.pending(["q2", "new"])


@EVERY
async def test_a_watch_finishes_when_its_run_is_over_and_all_is_resolved(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(2)]
    watching = await begun(client, flyte)
    flyte.server.model.finish_run(RUN.name)
    flyte.server.model.signal_directly(RUN.name, actions[0], True)
    await watching.pending(["q1"])
    assert not watching.feed.done()
    flyte.server.model.signal_directly(RUN.name, actions[1], True)
    async with asyncio.timeout(TEST_TIMEOUT):
        await watching.feed
    watching.take()
    assert watching.picture.pending() == set()
    late = client.watch()  # of what is over already
    async with asyncio.timeout(TEST_TIMEOUT):
        await late.feed
    late.take()
    assert late.picture.synced
    assert len(late.picture.events) == 2


async def test_a_watch_does_not_finish_without_what_was_answered_just_before_its_run_ended(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    first = ask(flyte)
    watching = await begun(client, flyte)
    await watching.pending(["q"])

    def run_ends() -> None:
        flyte.server.faults.lose_updates = True
        model.signal_directly(RUN.name, ask(flyte, "last"), True)
        model.finish_run(RUN.name)

    flyte.server.hostile.script("GetRunDetails", [meanwhile(run_ends, served())])
    model.signal_directly(RUN.name, first, True)
    async with asyncio.timeout(TEST_TIMEOUT):
        await watching.feed
    watching.take()
    assert {*watching.picture.named()} == {"q", "last"}


@timed(resync_interval=0.05)
async def test_an_event_that_cannot_be_found_at_once_is_reported_later(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = await begun(client, flyte)
    missing = status("NOT_FOUND", "action not found: action not found")
    flyte.server.hostile.script("GetActionDetails", [missing] * 2)
    ask(flyte)
    await watching.pending(["q"])


async def test_an_unknown_run_is_watched_until_it_comes(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    watching = client.watch()
    await watching.synced()
    ask(flyte)
    await watching.pending(["q"])


async def test_streams_are_limited_and_runs_without_one_are_polled(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_transport.GrpcTransport, "max_streams", 2)
    runs = [type(RUN)(RUN.org, RUN.project, RUN.domain, f"run{place}") for place in range(6)]
    actions = [flyte.server.model.ask(run.name, "q") for run in runs]
    watching = [client.watch(run) for run in runs]
    for one in watching:
        await one.pending(["q"])
    await until(lambda: flyte.server.open_streams[STREAM] == 2)
    for run, action in zip(runs, actions, strict=True):
        flyte.server.model.signal_directly(run.name, action, True)
    for one in watching:
        await one.pending([])
    assert flyte.server.calls[STREAM] == 2


async def test_a_signal_of_our_own_is_reported_though_no_stream_reports_it(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.faults.lose_updates = True
    ask(flyte)
    watching = await begun(client, flyte)
    await client.signal("q", True)
    await watching.pending([])


async def test_closing_ends_watches(client: BackendClient, flyte: FlyteHarness) -> None:
    ask(flyte)
    watching = [await begun(client, flyte), client.watch()]
    await watching[1].synced()
    await flyte.close()
    for one in watching:
        assert isinstance(await one.error(), ShuttingDown)
    await until(lambda: flyte.server.open_streams[STREAM] == 0)


class Unreliable:
    """A transport whose streams drop, repeat and reorder messages after the first one."""

    def __init__(self, transport: Any, random: Random) -> None:
        self.call = transport.call
        self.close = transport.close
        self._stream = transport.stream
        self._random = random

    async def stream(self, *words: Any) -> Any:
        held: list[Any] = []
        first = True
        async for message in self._stream(*words):
            if first:
                first = False
                yield message
                continue
            fate = self._random.random()
            if fate < 0.3:
                continue
            held += [message] * (2 if fate > 0.8 else 1)
            if self._random.random() < 0.7:
                self._random.shuffle(held)
                for one in held:
                    yield one
                held.clear()


@timed(resync_interval=0.3)
@pytest.mark.parametrize("release", ["2.0.30", "2.0.43"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=2, derandomize=True)
async def test_after_a_thousand_steps_over_an_unreliable_stream_every_picture_is_the_backends(
    flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    run = type(RUN)(RUN.org, RUN.project, RUN.domain, f"run{seed}")
    model = flyte.server.model
    actions: list[str] = []

    def step() -> None:
        fate = random.random()
        if fate < 0.3 or not actions:
            queued = random.random() < 0.2
            actions.append(model.ask(run.name, f"q{len(actions)}", queued=queued))
            return
        action = random.choice(actions)
        try:
            if fate < 0.6:
                model.signal_directly(run.name, action, random.random() < 0.5)
            elif fate < 0.75:
                model.abort_directly(run.name, action, "why")
            elif fate < 0.85:
                model.reconcile(run.name, action)
            elif fate < 0.86:
                flyte.server.faults.drop_streams()
        except (StatusError, KeyError):
            return  # it had ended

    session = await flyte.connected()
    monkeypatch.setattr(
        session.service, "_transport", Unreliable(session.service._transport, random)
    )
    client = BackendClient(flyte)
    watching = [client.watch(run) for _ in range(3)]
    for one in watching:
        await one.synced()
    for _ in range(1000):
        step()
        await asyncio.sleep(0.001)
        random.choice(watching).take()
    wanted = {
        f"q{place}": model.action(run.name, action).phase for place, action in enumerate(actions)
    }
    answered = {
        f"q{place}"
        for place, action in enumerate(actions)
        if model.action(run.name, action).payload is not None
        and model.action(run.name, action).phase != ABORTED
    }
    wanted |= dict.fromkeys(answered, SUCCEEDED)
    for one in watching:
        await one.until(
            lambda picture: (
                not picture.disconnected
                and {name: event.phase for name, event in picture.named().items()} == wanted
            )
        )
        await one.close()
    await flyte.close()
