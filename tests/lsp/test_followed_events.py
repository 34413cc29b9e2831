"""The events of an editor whose language server is still imported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import Raw, json

from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.model import Event, NewEvent, Target
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp import followed_events
from flyte_sidecar.lsp.capabilities import client_features
from flyte_sidecar.lsp.followed_events import FollowedEvents
from flyte_sidecar.lsp.session import EditorSession
from flyte_sidecar.lsp.settings import Settings
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import settle
from tests.lsp.fake_editor import FakeSession
from tests.lsp.plugin import CAPABILITIES, PluginEvents


class Listener:
    def __init__(self, changed: asyncio.Event) -> None:
        self.waiting: list[str] = []
        self._changed = changed

    def events_changed(self, names: set[str]) -> None:
        pass

    def event_waits(self, event: Event) -> None:
        self.waiting.append(event.name)
        self._changed.set()

    def state_changed(self, state: BackendState) -> None:
        pass


async def make(service: EventService, name: str) -> None:
    new = NewEvent(run=service.run("r1"), name=name)
    await service.create(service.write(Target(new.run, name=name)), new)


async def test_a_listener_learns_what_has_started_to_wait_before(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_events, "MAX_QUEUED_EVENTS", 2)
    plugin, changed, room = PluginEvents(), asyncio.Event(), asyncio.Event()
    room.set()

    def receive(_: str, params: Raw) -> None:
        plugin.apply(json.decode(params))
        changed.set()

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TEST_TIMEOUT):
            while not condition():
                changed.clear()
                await changed.wait()

    async def until_waiting(*names: str) -> None:
        await until(lambda: plugin.names == {*names} and plugin.phases[-1] == "ready")

    configuration: Any = SimpleNamespace(
        settings=Settings(), backends=SimpleNamespace(service=session.service, backend_id="b1")
    )
    context: Any = SimpleNamespace(notify=receive, wait_for_room=room.wait)
    features = client_features({"capabilities": CAPABILITIES})
    await make(session.service, "earlier")
    followed = FollowedEvents(features, configuration, context)
    await until_waiting("earlier")
    for name in "abc":
        await make(session.service, name)
    await until_waiting("earlier", "a", "b", "c")
    listener = Listener(changed)
    followed.listen(listener)
    assert len(listener.waiting) == 2
    assert {*listener.waiting} < {*"abc"}
    room.clear()
    await make(session.service, "later")
    await until(lambda: listener.waiting[2:] == ["later"])
    await followed.close()
    room.set()
    await settle()
    assert "later" not in plugin.names


@pytest.mark.parametrize("loaded", [True, False])
async def test_the_end_of_a_session_ends_its_tasks_also_while_it_is_loaded(
    session: FakeSession, loaded: bool
) -> None:
    backends: Any = SimpleNamespace(
        service=session.service, backend_id="b1", select=lambda options: None
    )
    logins: Any = SimpleNamespace(serve_editor=lambda shows_logins: None)
    context: Any = SimpleNamespace(notify=lambda method, params: None)
    await session.service.get(Target(session.service.run("r1"), name="deploy"))  # opens the store
    before = asyncio.all_tasks()
    editor = EditorSession({"capabilities": {}}, backends, logins, context)
    loading = asyncio.all_tasks() - before
    if loaded:
        await asyncio.wait(loading)
        assert asyncio.all_tasks() > before
    await editor.close()
    await asyncio.wait(loading)
    assert asyncio.all_tasks() == before
