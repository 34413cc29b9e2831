"""Waiting for events that do not exist yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.errors import AmbiguousEvent, EventNotFound, ShuttingDown
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, Event, Run, Target
from flyte_sidecar.events.watch_feed import WatchFeed
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import RUN, BackendClient, settle

LATER = Run(None, "local", "local", "later")


class Observed:
    """A backend that counts its watches, and runs a callback after each read of an event."""

    def __init__(self, backend: EventBackend) -> None:
        self._backend = backend
        self.watches = 0
        self.reads = 0
        self.after_read: Callable[[int], Awaitable[object]] | None = None
        self.instead_of_watch: Callable[[], Awaitable[object]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    async def choices(self, target: Target) -> Sequence[Event]:
        found = await resolve(self._backend.choices(target))
        self.reads += 1
        if self.after_read is not None:
            await self.after_read(self.reads)
        return found

    async def watch(self, watch: WatchFeed) -> None:
        if self.instead_of_watch is not None:
            await self.instead_of_watch()
            return
        self.watches += 1
        try:
            await self._backend.watch(watch)
        finally:
            self.watches -= 1


@pytest.fixture
def backend(client: BackendClient) -> Observed:
    """Wrap the backend of the client's service."""
    client.service.backend = observed = Observed(client.service.backend)  # type: ignore[assignment]
    return observed


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TEST_TIMEOUT):
        while not condition():  # noqa: ASYNC110 - another thread or a timer brings it about
            await asyncio.sleep(0.001)


async def begun(backend: Observed, *waits: Awaitable[Event]) -> list[asyncio.Future[Event]]:
    """Start waits, and return them once each has read twice: before and after it subscribed."""
    reads = backend.reads
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await until(lambda: backend.reads == reads + 2 * len(waits))
    await settle()
    assert not any(task.done() for task in tasks)
    return tasks


async def test_an_event_is_awaited_before_and_after_its_creation(
    client: BackendClient, backend: Observed
) -> None:
    [waiting] = await begun(backend, client.await_creation("q"))
    await client.make("other")
    event = await client.make("q", "int")
    await settle(50)
    assert not waiting.done()
    answered = await client.signal("q", 5)
    assert await waiting == answered
    assert answered.action_name == event.action_name
    await until(lambda: backend.watches == 0)


async def test_an_event_that_another_client_creates_and_answers_at_once_is_found(
    client: BackendClient, backend: Observed
) -> None:
    other = BackendClient(client.harness)
    [waiting] = await begun(backend, client.await_creation("q"))
    await other.make("q", "str")
    answered = await other.signal("q", "x")
    assert await waiting == answered


async def test_an_event_is_awaited_by_an_id_that_does_not_exist_yet(
    client: BackendClient, backend: Observed
) -> None:
    action = "e00000000000000ff"
    [waiting] = await begun(backend, client.await_creation(action_name=action))
    await client.make("before")
    client.harness.choose_id(action)
    await client.make("q")
    assert (await client.signal("q", True)).action_name == action
    assert (await waiting).action_name == action


async def test_only_an_event_under_the_parent_matches(
    client: BackendClient, backend: Observed
) -> None:
    [waiting] = await begun(backend, client.await_creation("q", parent="a2"))
    await client.make("q", parent="a1")
    await client.signal("q", True, parent="a1")
    await settle(50)
    assert not waiting.done()
    await client.make("q", parent="a2")
    await client.signal("q", False, parent="a2")
    assert (await waiting).payload is False


async def test_the_run_may_not_exist_yet_either(client: BackendClient, backend: Observed) -> None:
    [waiting] = await begun(backend, client.await_creation("q", LATER))
    await client.make("q")
    await client.answer(await client.ask(LATER, "q"), False)
    found = await waiting
    assert (found.run_name, found.payload) == ("later", False)


async def test_runs_of_one_name_in_other_scopes_are_distinct(
    client: BackendClient, backend: Observed
) -> None:
    elsewhere = Run(None, "other", "local", RUN.name)
    [waiting] = await begun(backend, client.await_creation("q", elsewhere))
    await client.make("q")
    await client.signal("q", True)
    await client.answer(await client.ask(elsewhere, "q"), False)
    assert (await waiting).payload is False


async def test_an_event_that_exists_is_awaited_as_by_any_wait(
    client: BackendClient, backend: Observed
) -> None:
    await client.make("q")
    waiting = asyncio.ensure_future(client.await_creation("q"))
    await settle(20)
    answered = await client.signal("q", True)
    assert await waiting == await client.await_creation("q") == answered
    for parent in ("a1", "a2"):
        await client.make("twice", parent=parent)
    with pytest.raises(AmbiguousEvent):
        await client.await_creation("twice")
    assert backend.watches == 0


async def test_without_await_creation_a_wait_for_a_missing_event_is_an_error(
    client: BackendClient,
) -> None:
    with pytest.raises(EventNotFound):
        await client.wait("q")


@pytest.mark.parametrize("number", [1, 2])
async def test_an_event_created_right_after_a_read_is_not_missed(
    client: BackendClient, backend: Observed, number: int
) -> None:
    async def create(reads: int) -> None:
        if reads == number:
            await client.make("q")

    backend.after_read = create
    waiting = asyncio.ensure_future(client.await_creation("q"))
    await until(lambda: backend.reads >= 3 or (number == 1 and backend.reads >= 2))
    answered = await client.signal("q", True)
    assert await waiting == answered


async def test_an_event_created_before_a_wait_joins_the_watch_of_its_run_is_not_missed(
    client: BackendClient, backend: Observed
) -> None:
    async def create(reads: int) -> None:
        if reads == 3:
            await client.make("q")
            await client.watch().pending(["q"])
            await settle(20)

    backend.after_read = create
    [other] = await begun(backend, client.await_creation("other"))
    waiting = asyncio.ensure_future(client.await_creation("q"))
    await until(lambda: backend.reads >= 4)
    answered = await client.signal("q", True)
    assert await asyncio.wait_for(waiting, TEST_TIMEOUT) == answered
    other.cancel()


async def test_several_events_created_before_the_name_is_resolved_are_ambiguous(
    client: BackendClient, backend: Observed
) -> None:
    async def create(reads: int) -> None:
        if reads == 1:
            events.extend([await client.make("q", parent=f"a{index}") for index in (1, 2)])

    events: list[Event] = []
    backend.after_read = create
    with pytest.raises(AmbiguousEvent) as refused:
        await client.await_creation("q")
    assert refused.value.data["candidates"] == events


async def test_a_name_refers_to_the_event_that_it_was_resolved_to(
    client: BackendClient, backend: Observed
) -> None:
    [waiting] = await begun(backend, client.await_creation("q"))
    first = await client.make("q", parent="a1")
    await until(lambda: backend.watches == 0)
    second = await client.make("q", parent="a2")
    await client.answer(second, False)
    await settle(50)
    assert not waiting.done()
    assert await client.answer(first, True) == await waiting


async def test_an_event_that_expires_ends_the_wait(
    client: BackendClient, backend: Observed
) -> None:
    [waiting] = await begun(backend, client.await_creation("q"))
    await client.make("q", expires_in=60)
    await until(lambda: backend.watches == 0)
    client.harness.pass_time(61)
    assert (await asyncio.wait_for(waiting, TEST_TIMEOUT)).phase == TIMED_OUT


async def test_a_cancelled_wait_ends_and_the_others_stay_open(
    client: BackendClient, backend: Observed
) -> None:
    waits = await begun(backend, *(client.await_creation("q") for _ in range(3)))
    waits[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits[0]
    assert backend.watches == 1
    await client.make("q")
    answered = await client.signal("q", True)
    assert await asyncio.gather(*waits[1:]) == [answered, answered]


async def test_cancelling_the_last_wait_leaves_nothing_behind(
    client: BackendClient, backend: Observed
) -> None:
    waits = await begun(backend, client.await_creation("q"), client.await_creation("p"))
    for waiting in waits:
        waiting.cancel()
    await asyncio.wait(waits)
    await until(lambda: backend.watches == 0)
    assert client.service._creation_waits._runs == {}
    [again] = await begun(backend, client.await_creation("q"))
    await client.make("q")
    answered = await client.signal("q", True)
    assert await again == answered


async def test_many_waits_in_a_run_share_one_watch(
    client: BackendClient, backend: Observed
) -> None:
    names = [f"q{index}" for index in range(50)]
    waits = await begun(backend, *(client.await_creation(name) for name in names * 4))
    assert backend.watches == 1
    reads = backend.reads
    for name in names[::-1]:
        await client.make(name)
    answered = [await client.signal(name, True) for name in names]
    assert await asyncio.gather(*waits) == answered * 4
    assert {event.phase for event in answered} == {SUCCEEDED}
    assert backend.reads == reads + len(waits) + len(names)  # one each, and one for each signal
    await until(lambda: backend.watches == 0)


async def test_a_wait_delays_no_write(client: BackendClient, backend: Observed) -> None:
    [waiting] = await begun(backend, client.await_creation("q"))
    await client.make("other")
    assert (await client.signal("other", True)).payload is True
    waiting.cancel()


async def test_a_wait_sees_the_creation_that_was_sent_before_it(
    client: BackendClient, backend: Observed
) -> None:
    creating = asyncio.ensure_future(client.make("q"))
    waiting = asyncio.ensure_future(client.await_creation("q"))
    event = await creating
    answered = await client.answer(event, True)
    assert await waiting == answered


async def test_an_event_that_a_watch_did_not_report_before_the_end_of_its_run_is_found(
    client: BackendClient, backend: Observed
) -> None:
    async def create() -> None:
        await until(lambda: backend.reads == 2)
        await client.answer(await client.ask(RUN, "q"), True)

    backend.instead_of_watch = create
    assert (await client.await_creation("q")).payload is True
    backend.instead_of_watch = settle
    with pytest.raises(EventNotFound):
        await client.await_creation("p")


async def test_waits_end_with_the_backend(client: BackendClient, backend: Observed) -> None:
    waits = await begun(backend, client.await_creation("q"), client.await_creation("p", LATER))
    await client.harness.close()
    for waiting in waits:
        with pytest.raises(ShuttingDown):
            await asyncio.wait_for(waiting, TEST_TIMEOUT)
