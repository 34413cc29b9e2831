"""When a channel delivers: once, late, again, and after failures."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from flyte_sidecar.cli.notify import dispatcher
from flyte_sidecar.cli.notify.dispatcher import Dispatcher, EventSource
from flyte_sidecar.cli.notify.notice import DeliveryFailed, Notice
from flyte_sidecar.cli.notify.schedule import Schedule
from flyte_sidecar.events import delivery_leases
from flyte_sidecar.events.delivery_leases import DeliveryLeases, EventName
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.model import Event, without_details
from tests.cli.notify.events import waiting_event
from tests.conftest import TEST_TIMEOUT


class Clock:
    """A clock that a test sets. Whoever waits for a time looks at it at once."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    time = __call__


class RecordingChannel:
    """Records what it delivers; fails if a test wants that."""

    name, lease_name = "test", "test"
    concurrency, pause = 2, 0.0

    def __init__(self, batch: int = 1) -> None:
        self.batch = batch
        self.delivered: list[Sequence[Notice]] = []
        self.withdrawn: list[EventName] = []
        self.failures: list[DeliveryFailed] = []
        self.attempts = 0
        self.blocked: asyncio.Event | None = None
        self._changed = asyncio.Event()

    async def deliver(self, notices: Sequence[Notice]) -> None:
        self.attempts += 1
        self._changed.set()
        if self.blocked is not None:
            await self.blocked.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.delivered.append(notices)
        self._changed.set()

    async def withdraw(self, names: Sequence[EventName]) -> None:
        self.withdrawn += names
        self._changed.set()

    async def close(self) -> None: ...

    @property
    def names(self) -> list[str]:
        return [notice.event.name for notices in self.delivered for notice in notices]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(TEST_TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Process:
    """The dispatcher of one process."""

    def __init__(self, state: Path, clock: Clock, batch: int = 1, **schedule: Any) -> None:
        self.channel = RecordingChannel(batch)
        self.waiting: dict[EventName, Event] = {}
        self._clock = clock
        leases = DeliveryLeases(lambda: state, self.channel.lease_name)
        source = EventSource(self.waiting.get, self._detailed)
        self.reads = 0
        self.details: dict[str, Event] = {}
        self.dispatcher = Dispatcher(
            self.channel, leases, source, Schedule(clock=clock, **schedule)
        )

    async def _detailed(self, event: Event) -> Event:
        self.reads += 1
        return self.details.get(event.name, event)

    def add(self, name: str, **more: Any) -> EventName:
        event = waiting_event(name, **more)
        full_name = ("b1", event_key(event))
        self.waiting[full_name] = event
        self.dispatcher.add(full_name, event)
        return full_name

    def end(self, name: EventName) -> None:
        del self.waiting[name]
        self.dispatcher.remove(name)

    def set_clock(self, seconds: float) -> None:
        """Set the clock forward or back, and let the dispatcher look at it."""
        self._clock.now += seconds
        self.dispatcher._changed.set()

    async def delivered(self, *names: str) -> None:
        """Wait until exactly these events were delivered so far, in any order."""
        await self.channel.until(lambda: len(self.channel.names) >= len(names))
        await self.idle()  # it is recorded
        assert sorted(self.channel.names) == sorted(names)

    async def idle(self) -> None:
        """Wait until everything that is due was delivered, or was found to be not for us."""
        async with asyncio.timeout(TEST_TIMEOUT):
            while self.dispatcher._due() or self.dispatcher._busy:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


Start = Callable[..., Process]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(delivery_leases, "time", clock)
    monkeypatch.setattr(dispatcher, "CLOCK_CHECK_INTERVAL", 0.005)
    return clock


@pytest.fixture
async def start(tmp_path: Path, clock: Clock) -> AsyncIterator[Start]:
    started: list[Process] = []

    def start(**options: Any) -> Process:
        process = Process(tmp_path, clock, **options)
        started.append(process)
        process.dispatcher.start()
        return process

    yield start
    for process in started:
        await process.dispatcher.close()


async def test_one_of_two_processes_delivers_each_event(start: Start) -> None:
    one, other = start(), start()
    names = [f"n{number}" for number in range(20)]
    for name in names:
        one.add(name)
        other.add(name)
    await one.idle()
    await other.idle()
    assert sorted(one.channel.names + other.channel.names) == sorted(names)


async def test_events_that_are_due_together_are_delivered_together(start: Start) -> None:
    process = start(batch=10)
    for number in range(12):
        process.add(f"n{number}")
    await process.idle()
    assert sorted(map(len, process.channel.delivered)) == [2, 10]


async def test_an_event_is_new_or_was_missed(start: Start) -> None:
    process = start()
    process.add("missed")
    process.dispatcher.mark_as_new(process.add("new"))
    process.dispatcher.mark_as_new(("b1", "unknown"))
    await process.delivered("missed", "new")
    reasons = {notice.event.name: notice.reason for [notice] in process.channel.delivered}
    assert reasons == {"missed": "missed", "new": "waiting"}


async def test_a_partial_event_is_delivered_with_its_prompt(start: Start) -> None:
    process = start()
    process.details["n1"] = waiting_event("n1", prompt="Deploy?")
    event = without_details(process.details["n1"])
    name = ("b1", event_key(event))
    process.waiting[name] = event
    process.dispatcher.add(name, event)
    await process.delivered("n1")
    assert process.channel.delivered[0][0].event.prompt == "Deploy?"


async def test_an_event_that_has_just_ended_is_not_delivered_nor_read_again(start: Start) -> None:
    process = start()
    event = waiting_event("n1")
    process.details["n1"] = structs.replace(event, pending=False)
    name = ("b1", event_key(event))
    process.waiting[name] = without_details(event)
    process.dispatcher.add(name, event)
    await process.idle()
    assert process.channel.attempts == 0
    assert process.reads == 1
    other = start()  # which has not read it yet
    other.add("n1")
    await other.delivered("n1")


async def test_only_what_still_waits_after_a_time_is_delivered(start: Start, clock: Clock) -> None:
    process = start(after=600)
    now = datetime.fromtimestamp(clock.now, UTC)
    ended = process.add("ended", created_at=now)
    process.add("long", created_at=now)
    process.add("without-time", created_at=None)
    process.add("from-the-future", created_at=datetime.fromtimestamp(clock.now + 1e6, UTC))
    process.add("earlier", created_at=datetime.fromtimestamp(clock.now - 600, UTC))
    await process.delivered("earlier")
    process.set_clock(599)
    await process.idle()
    process.end(ended)
    assert process.channel.names == ["earlier"]
    process.set_clock(1)
    await process.delivered("earlier", "long", "without-time", "from-the-future")


async def test_an_event_that_still_waits_is_repeated(start: Start) -> None:
    one, other = start(remind=3600), start(remind=3600)
    name = one.add("n1")
    await one.delivered("n1")
    other.add("n1")
    await other.idle()
    one.set_clock(3599)
    await one.idle()
    await other.idle()
    assert (one.channel.names, other.channel.names) == (["n1"], [])
    other.set_clock(1)  # also the time in which a machine sleeps
    one.dispatcher._changed.set()
    async with asyncio.timeout(TEST_TIMEOUT):
        while len(one.channel.names + other.channel.names) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await other.idle()
    notices = [notice for each in (one, other) for [notice] in each.channel.delivered]
    assert [notice.reason for notice in notices] == ["missed", "reminder"]
    assert notices[0].id != notices[1].id
    one.end(name)
    one.set_clock(7200)
    await one.idle()
    assert len(one.channel.names) <= 2


async def test_a_clock_that_is_set_back_delays_no_reminder(start: Start) -> None:
    process = start(remind=3600)
    process.set_clock(86400)
    process.add("n1")
    await process.delivered("n1")
    process.set_clock(-86400)
    await process.idle()
    process.set_clock(3600)
    await process.delivered("n1", "n1")
    process.set_clock(-86400)
    again = start(remind=3600)
    again.add("n1")
    again.set_clock(3600)
    await again.delivered("n1")


async def test_a_failed_delivery_is_retried_with_the_same_id(start: Start) -> None:
    process = start()
    process.channel.failures = [DeliveryFailed("first"), DeliveryFailed("second", retry_after=300)]
    process.add("n1")
    await process.channel.until(lambda: process.channel.attempts == 1)
    await process.idle()
    process.set_clock(1)
    await process.channel.until(lambda: process.channel.attempts == 2)
    await process.idle()
    other = start()
    other.add("n1")
    process.set_clock(299)
    await process.idle()
    await other.idle()
    assert process.channel.attempts == 2
    process.set_clock(1)
    await process.delivered("n1")
    assert other.channel.names == []


async def test_the_same_failure_of_many_events_is_one_warning(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    process = start()
    process.channel.failures = [DeliveryFailed("refused")] * 9 + [DeliveryFailed("status 500")]
    names = [f"n{number}" for number in range(10)]
    for name in names:
        process.add(name)
    await process.channel.until(lambda: process.channel.attempts == 10)
    await process.idle()
    warnings = [record.args for record in caplog.records if record.levelname == "WARNING"]
    assert [str(error) for *_, error in warnings] == ["refused", "status 500"]
    process.set_clock(1)
    await process.delivered(*names)


async def test_a_failure_that_affects_all_events_pauses_the_channel(start: Start) -> None:
    process = start()
    channel, names = process.channel, [f"n{number}" for number in range(10)]
    channel.failures = [DeliveryFailed("status 429", retry_after=300, affects_all=True)] * 10
    for name in names:
        process.add(name)
    for attempts in (1, 3):
        await channel.until(lambda attempts=attempts: channel.attempts >= attempts)
        await process.idle()
        before = channel.attempts
        assert before <= attempts + 1  # there are two workers
        process.set_clock(299)
        await process.idle()
        assert channel.attempts == before
        channel.attempts = 2
        process.set_clock(1)
    channel.failures.clear()
    process.set_clock(300)
    await process.delivered(*names)


async def test_another_process_may_deliver_what_failed(start: Start) -> None:
    process, other = start(), start()
    process.channel.failures = [DeliveryFailed("no desktop")]
    process.add("n1")
    await process.channel.until(lambda: process.channel.attempts == 1)
    await process.idle()
    other.add("n1")
    await other.delivered("n1")
    process.set_clock(1)
    await process.idle()
    assert process.channel.attempts == 1


async def test_a_failure_that_no_retry_can_resolve_is_not_retried(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    process = start(remind=60)
    process.channel.failures = [DeliveryFailed("status 404", retryable=False)]
    process.add("n1")
    await process.channel.until(lambda: process.channel.attempts == 1)
    await process.idle()
    process.set_clock(1e6)
    await process.idle()
    assert process.channel.attempts == 1
    assert "test: 1 event not delivered: status 404" in caplog.text
    other = start()  # another process may have another configuration
    other.add("n1")
    await other.delivered("n1")


async def test_a_delivery_that_takes_too_long_is_cancelled_and_retried(start: Start) -> None:
    process = start(timeout=0.001)
    process.channel.blocked = asyncio.Event()
    process.add("n1")
    await process.channel.until(lambda: process.channel.attempts == 1)
    await process.idle()
    process.channel.blocked = None
    process.set_clock(1)
    await process.delivered("n1")


async def test_another_process_delivers_what_a_process_leaves_at_its_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "CLOSE_TIMEOUT", 0.001)
    process, other = start(), start()
    process.channel.blocked = asyncio.Event()
    process.channel.failures = [DeliveryFailed("first")]
    process.add("n1")
    await process.channel.until(lambda: process.channel.attempts == 1)
    other.add("n1")
    await other.idle()
    await process.dispatcher.close()
    assert other.channel.names == []
    third = start()
    third.add("n1")
    await third.delivered("n1")


async def test_a_delivery_that_runs_may_finish_at_the_end(start: Start) -> None:
    process = start()
    process.channel.blocked = asyncio.Event()
    process.add("n1")
    await process.channel.until(lambda: process.channel.attempts == 1)
    closing = asyncio.ensure_future(process.dispatcher.close())
    await asyncio.sleep(0)
    process.channel.blocked.set()
    await closing
    assert process.channel.names == ["n1"]
    other = start()
    other.add("n1")
    await other.idle()
    assert other.channel.names == []


async def test_notifications_of_events_that_have_ended_are_withdrawn(start: Start) -> None:
    process = start()
    name = process.add("n1")
    await process.delivered("n1")
    process.end(name)
    await process.channel.until(lambda: process.channel.withdrawn == [name])
    process.channel.blocked = asyncio.Event()
    late = process.add("late")
    await process.channel.until(lambda: process.channel.attempts == 2)
    process.end(late)  # while it is being delivered
    process.channel.blocked.set()
    await process.delivered("n1", "late")
    await process.channel.until(lambda: late in process.channel.withdrawn)


async def test_what_was_delivered_is_not_repeated_if_the_disk_is_full(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    first.add("n1")
    await first.delivered("n1")

    def full(db: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(delivery_leases, "_writing", full)
    other = start()
    for name in ("n1", "n2", "n3"):
        other.add(name)
    await other.delivered("n2", "n3")


async def test_without_leases_each_process_delivers(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "notified").write_text("not a folder")
    one, other = start(), start(remind=60)
    for process in (one, other):
        process.add("n1")
        process.add("n2")
        await process.delivered("n1", "n2")
    assert caplog.text.count("several processes may notify of the same event") == 2
    other.set_clock(60)
    await other.delivered("n1", "n2", "n1", "n2")
