"""The feed of a plugin, without a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct, json
from msgspec.structs import replace

from flyte_sidecar.errors import BackendUnavailable
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.live.live_events import EventChange
from flyte_sidecar.events.model import Event
from flyte_sidecar.lsp import event_feed
from flyte_sidecar.lsp.event_feed import EventFeed
from tests.contract.harness import settle
from tests.lsp.events import make_event
from tests.lsp.plugin import PluginEvents


class Source(Struct):
    state: BackendState = BackendState("connecting")
    omitted: int = 0
    events: Sequence[Event] = ()

    def pending(self) -> Sequence[Event]:
        return self.events


class Reader:
    """A plugin that reads only while `reading` is set."""

    def __init__(self) -> None:
        self.source = Source()
        self.plugin = PluginEvents()
        self.messages: list[dict] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.background = BackgroundTasks()
        self.feed = EventFeed(self.background, self._receive, self._wait_for_room)
        self.feed.follow(self.source, "b1")

    def _receive(self, method: str, params: Raw) -> None:
        assert method == "flyteSidecar/events"
        self.messages.append(json.decode(params))
        self.plugin.apply(self.messages[-1])

    async def _wait_for_room(self) -> None:
        await self.reading.wait()

    def change(self, event: Event, change: EventChange = "waiting") -> None:
        if change != "waiting":
            event = replace(event, pending=False, phase="SUCCEEDED", payload=True)
        self.feed.on_event(event, change)

    def state(self, state: BackendState) -> None:
        self.source.state = state
        self.feed.on_state()

    async def read_all(self) -> None:
        self.reading.set()
        await settle()
        while self.feed._sending:  # noqa: ASYNC110  the sending ends by itself
            await asyncio.sleep(0)


@asynccontextmanager
async def reader() -> AsyncIterator[Reader]:
    reader = Reader()
    yield reader
    await reader.background.close()


NAMES = st.sampled_from("abcd")
CHANGES = st.sampled_from(["waiting", "ended", "removed", "read", "start over"])


@given(steps=st.lists(st.tuples(NAMES, CHANGES)))
def test_a_plugin_knows_the_latest_state_of_each_event_however_it_reads(
    steps: list[tuple[str, str]],
) -> None:
    async def run() -> None:
        async with reader() as plugin:
            waiting: set[str] = set()
            for name, step in steps:
                if step == "read":
                    await plugin.read_all()
                    assert plugin.plugin.names == waiting
                elif step == "start over":
                    plugin.source.events = [make_event(name)]
                    plugin.feed.follow(plugin.source, "b2")
                    waiting = {name}
                else:
                    plugin.reading.clear()
                    plugin.change(make_event(name), step)  # type: ignore[arg-type]  # one of these
                    waiting = waiting | {name} if step == "waiting" else waiting - {name}
            await plugin.read_all()
            assert plugin.plugin.names == waiting

    asyncio.run(run())


async def test_the_first_message_resets_even_if_nothing_waits() -> None:
    async with reader() as plugin:
        await plugin.read_all()
        [message] = plugin.messages
        assert message["reset"] is True
        assert message["backend"] == "b1"
        assert message["phase"] == "connecting"


async def test_a_plugin_that_reads_slowly_gets_only_the_latest_state() -> None:
    async with reader() as plugin:
        plugin.reading.clear()
        for number in range(100):
            plugin.change(make_event("a", prompt=f"Approve {number}?"))
            await asyncio.sleep(0)
        plugin.change(make_event("b"))
        plugin.change(make_event("b"), "ended")
        await plugin.read_all()
        [message] = plugin.messages
        assert [event["prompt"] for event in message["waiting"]] == ["Approve 99?"]
        assert [event["payload"] for event in message["ended"]] == [True]


async def test_the_last_of_several_messages_reports_that_the_events_are_up_to_date(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feed, "MAX_MESSAGE_BYTES", 10_000)
    async with reader() as plugin:
        plugin.reading.clear()
        for number in range(100):
            plugin.change(make_event(f"event{number}", prompt="?" * 1000))
        plugin.state(BackendState("ready"))
        await plugin.read_all()
        assert len(plugin.plugin.names) == 100
        assert len(plugin.messages) > 5
        assert {*plugin.plugin.phases[:-1]} == {"connecting"}
        assert plugin.plugin.phases[-1] == "ready"
        assert [message["reset"] for message in plugin.messages].count(True) == 1


async def test_the_events_of_another_backend_are_not_up_to_date_before_all_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feed, "MAX_MESSAGE_BYTES", 1)
    async with reader() as plugin:
        plugin.state(BackendState("ready"))
        await plugin.read_all()
        plugin.plugin.phases.clear()
        plugin.source.events = [make_event(name) for name in "abc"]
        plugin.feed.follow(plugin.source, "b2")
        await plugin.read_all()
        assert plugin.plugin.phases == ["connecting", "connecting", "ready"]


async def test_the_reason_of_an_outage_is_one_line() -> None:
    async with reader() as plugin:
        plugin.source.omitted = 3
        plugin.state(BackendState("disconnected", BackendUnavailable("gone\n\x1b[2Jaway")))
        await plugin.read_all()
        assert plugin.plugin.phases[-1] == "disconnected"
        assert plugin.plugin.error == "gone \\x1b[2Jaway"
        assert plugin.plugin.omitted == 3


async def test_a_plugin_that_reads_nothing_misses_how_events_ended_but_not_what_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feed, "MAX_ENDED_BYTES", 100_000)
    async with reader() as plugin:
        waiting = make_event("waiting")
        plugin.change(waiting)
        plugin.source.events = [waiting]
        plugin.reading.clear()
        for number in range(1010):
            plugin.change(make_event(f"event{number}", prompt="?" * 1000), "ended")
        assert len(plugin.feed._unsent) <= 101
        await plugin.read_all()
        assert plugin.plugin.names == {"waiting"}
        assert 0 < len(plugin.plugin.ended) < 101


async def test_a_plugin_that_reads_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "MAX_ENDED_BYTES", 10_000)
    async with reader() as plugin:
        for number in range(20):
            plugin.change(make_event(f"event{number}"), "ended")
            await plugin.read_all()
        assert len(plugin.plugin.ended) == 20
        plugin.reading.clear()
        for _ in range(20):
            plugin.change(make_event("same"), "ended")
        await plugin.read_all()
        assert len(plugin.plugin.ended) == 21
