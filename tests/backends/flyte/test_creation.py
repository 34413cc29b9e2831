"""Waiting for events of a deployment that do not exist yet."""

from __future__ import annotations

import asyncio

import pytest

from flyte_sidecar.errors import EventNotFound
from flyte_sidecar.events.model import Event
from tests.backends.flyte.scenarios import EVERY, OLD_AND_NEW, ask, until
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

STREAM = "WatchActions"


async def begun(
    client: BackendClient, flyte: FlyteHarness, name: str = "q"
) -> asyncio.Future[Event]:
    """Start a wait, and return it once the run's stream is open."""
    waiting = asyncio.ensure_future(client.await_creation(name))
    await until(lambda: flyte.server.open_streams[STREAM] > 0 or waiting.done())
    return waiting


@EVERY
async def test_a_wait_ends_when_the_run_is_over_without_the_event(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte, "other")
    waiting = await begun(client, flyte)
    flyte.server.model.signal_directly(RUN.name, action, True)
    flyte.server.model.finish_run(RUN.name)
    for wait in (waiting, client.await_creation("q")):
        with pytest.raises(EventNotFound):
            await asyncio.wait_for(wait, TEST_TIMEOUT)
    await until(lambda: not flyte.server.open_streams[STREAM])


@OLD_AND_NEW
async def test_an_event_created_while_the_backend_was_away_is_found(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(flyte, "other")
    waiting = await begun(client, flyte)
    flyte.server.stop()
    action = ask(flyte)
    flyte.server.start()
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await asyncio.wait_for(waiting, TEST_TIMEOUT)).action_name == action


@EVERY
async def test_a_thousand_waits_in_a_run_cost_one_stream_and_few_calls_each(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte, "other")
    names = [f"q{place}" for place in range(1000)]
    waits = [await begun(client, flyte, names[0])]
    before = flyte.server.calls["ListActions"]
    waits += [asyncio.ensure_future(client.await_creation(name)) for name in names[1:]]
    await until(lambda: flyte.server.calls["ListActions"] >= before + 2 * len(waits[1:]))
    actions = {name: ask(flyte, name) for name in names}
    for action in actions.values():
        flyte.server.model.signal_directly(RUN.name, action, True)
    found = await asyncio.gather(*waits)
    assert [event.action_name for event in found] == [*actions.values()]
    assert flyte.server.calls[STREAM] == 1
    # The end of a wait costs a call for the details, and no listing.
    assert flyte.server.calls["ListActions"] < before + 2 * len(waits) + 100
