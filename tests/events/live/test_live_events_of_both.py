"""The pending events of an editor session with both backends, of which one may be down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from flyte_sidecar.events.live import live_events
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp.history import History
from tests.backends.merged.conftest import DOWN, HERE, THERE, MergedHarness, both, client, timing
from tests.contract.harness import BackendClient, settle
from tests.events.live.test_live_events import Session

__all__ = ["both", "client", "timing"]  # fixtures


@pytest.fixture
async def down(client: BackendClient, both: MergedHarness) -> AsyncIterator[Session]:
    """A session that has started while the deployment was down; each backend has an event."""
    await client.ask(HERE.run("r"), "local")
    await client.ask(THERE.run("r"), "flyte")
    both.flyte.switch(DOWN)
    session = Session(EventService(both.merged))
    await session.until(lambda: session.pending() == ["local"])
    await session.live.wait_connected()
    yield session
    await session.live.close()


async def test_requests_wait_for_the_events_of_one_backend_while_the_other_is_down(
    client: BackendClient, both: MergedHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "CONNECT_TIMEOUT", 60.0)
    await client.ask(HERE.run("r"), "local")
    both.flyte.switch(DOWN)
    both.local.switch(None, hangs=True)
    session = Session(EventService(both.merged))
    connecting = asyncio.ensure_future(session.live.wait_connected())
    await session.until(lambda: "disconnected" in session.states)
    await settle()
    assert not connecting.done()
    both.local.switch(None)
    await connecting
    assert session.pending() == ["local"]
    await session.live.close()


async def test_a_backend_that_is_back_before_all_are_listed_does_not_count_for_the_others(
    client: BackendClient, both: MergedHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "CONNECT_TIMEOUT", 60.0)
    await client.ask(HERE.run("r"), "local")
    await client.ask(THERE.run("r"), "flyte")
    both.flyte.switch(DOWN)
    both.local.switch(None, hangs=True)
    session = Session(EventService(both.merged))
    connecting = asyncio.ensure_future(session.live.wait_connected())
    await session.until(lambda: "disconnected" in session.states)
    both.flyte.switch(None)
    await session.until(lambda: session.states[-1] == "connecting")
    assert session.pending() == ["flyte"]
    assert not connecting.done()
    both.local.switch(None)
    await session.until(lambda: session.states[-1] == "ready")
    await connecting
    assert session.pending() == ["local", "flyte"]
    assert session.waiting == []  # both waited before
    # After a restart, in which the deployment is back first again:
    both.flyte.switch(DOWN)
    await session.until(lambda: session.live.state.phase == "disconnected")
    both.local.switch(None, hangs=True)
    session.live.restart()
    await session.until(lambda: session.states[-2:] == ["connecting", "disconnected"])
    both.flyte.switch(None)
    await session.until(lambda: session.states[-1] == "connecting")
    assert session.pending() == ["local", "flyte"]
    both.local.switch(None)
    await session.until(lambda: session.states[-1] == "ready")
    assert session.pending() == ["local", "flyte"]
    assert session.waiting == []
    await session.live.close()


async def test_the_history_of_a_name_reports_which_backend_it_lacks(
    client: BackendClient, both: MergedHarness, down: Session
) -> None:
    history = History(EventService(both.merged), deadline=60)
    recent = await history.recent("local")
    assert [event.name for event in recent.events] == ["local"]
    assert (recent.error, recent.complete) == (DOWN, False)
    both.flyte.switch(None)
    recent = await history.recent("flyte")
    assert [event.name for event in recent.events] == ["flyte"]
    assert (recent.error, recent.complete) == (None, True)
    await history.close()


async def test_while_one_backend_is_down_the_events_of_the_other_are_current(
    client: BackendClient, down: Session
) -> None:
    await down.until(lambda: down.live.state.phase == "disconnected")
    assert down.live.state.error is DOWN
    await client.ask(HERE.run("r"), "later")
    await down.until(lambda: down.waiting == ["later"])
    assert down.live.state.phase == "disconnected"
    assert down.pending() == ["local", "later"]


async def test_events_of_a_backend_that_waited_before_its_first_sync_are_not_announced(
    client: BackendClient, both: MergedHarness, down: Session
) -> None:
    await down.until(lambda: "disconnected" in down.states)
    both.flyte.switch(None)
    await down.ready()
    assert down.pending() == ["local", "flyte"]
    assert down.waiting == []
    both.flyte.switch(DOWN)
    await down.until(lambda: down.live.state.phase == "disconnected")
    await client.ask(THERE.run("r"), "meanwhile")
    both.flyte.switch(None)
    await down.ready()
    await down.until(lambda: down.waiting == ["meanwhile"])


async def test_the_events_of_a_backend_that_is_down_are_kept_when_all_are_listed_again(
    client: BackendClient, both: MergedHarness, down: Session
) -> None:
    both.flyte.switch(None)
    await down.ready()
    event = down.live.pending()[-1]
    both.flyte.switch(DOWN)
    await down.until(lambda: down.live.state.phase == "disconnected")
    down.live.restart()
    await down.until(lambda: down.states[-2:] == ["connecting", "disconnected"])
    await both.flyte.signal(event, True)
    await client.ask(HERE.run("r"), "later")
    await down.until(lambda: "later" in down.waiting)
    assert down.pending() == ["local", "flyte", "later"]
    both.flyte.switch(None)
    await down.until(lambda: down.pending() == ["local", "later"])
