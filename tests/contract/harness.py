"""The interface of a backend under test, and a client that sends it requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from flyte_sidecar._futures import resolve
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Disconnected, WatchUpdate
from flyte_sidecar.events.model import (
    Event,
    EventPage,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    Run,
    RunInfo,
    RunPage,
    RunsQuery,
    Scope,
    Target,
    TaskName,
)
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.watch_feed import WatchSelector
from tests.conftest import TEST_TIMEOUT


class Harness(Protocol):
    """One backend under test."""

    can_create: bool

    def backend(self) -> EventBackend:
        """Return the backend that clients share."""

    def choose_id(self, action: str) -> None:
        """Set the id of the next event that is created."""

    def start_task(self, run: Run, name: TaskName) -> str | None:
        """Start a task in a run and return its action; None if the backend records no tasks."""

    def pass_time(self, seconds: float) -> None:
        """Move the backend's clock forward, or back."""

    async def close(self) -> None:
        """Release all resources."""


RUN = Run(None, "local", "local", "r1")
SCOPE = Scope(RUN.org, RUN.project, RUN.domain)


class Picture:
    """The state of a client that applies the updates of a watch, and checks their rules.

    Attributes
    ----------
    events
        The last reported state of each event.
    updates
        All updates.
    synced, disconnected
        Whether all current events were reported, and whether the backend is disconnected.
    """

    def __init__(self) -> None:
        self.events: dict[tuple[Run, str], Event] = {}
        self.updates: list[WatchUpdate] = []
        self.synced = False
        self.disconnected = False
        self._ended: set[tuple[Run, str]] = set()

    def apply(self, update: WatchUpdate) -> None:
        self.updates.append(update)
        if isinstance(update, Changed):
            self._change(update.change, update.event)
        elif isinstance(update, Disconnected):
            assert self.synced
            assert not self.disconnected
            self.disconnected = True
        else:
            assert update.again is self.synced
            assert update.again is self.disconnected
            self.synced, self.disconnected = True, False

    def _change(self, change: str, event: Event) -> None:
        key = (event.run, event.action_name)
        previous = self.events.get(key)
        if previous is None:
            assert change == "created"
        elif previous.pending and not event.pending:
            assert change in ("resolved", "removed")
        else:
            assert change in ("updated", "removed")
            # A NaN is not equal to itself.
            assert change == "removed" or repr(event) != repr(previous)
        if change == "removed":
            del self.events[key]
            return
        assert not (event.pending and key in self._ended)
        if not event.pending:
            self._ended.add(key)
        self.events[key] = event

    def changes(self) -> list[tuple[str, str]]:
        """Return each change that was reported, with the name of the event."""
        return [
            (update.change, update.event.name)
            for update in self.updates
            if isinstance(update, Changed)
        ]

    def named(self) -> dict[str, Event]:
        """Return the events by their names, which differ."""
        found = {event.name: event for event in self.events.values()}
        assert len(found) == len(self.events)
        return found

    def pending(self) -> set[str]:
        """Return the names of the pending events."""
        return {name for name, event in self.named().items() if event.pending}


class Watching:
    """An open watch, and what it has reported."""

    def __init__(self, watch: CoalescingQueue, feed: asyncio.Future[None]) -> None:
        self.watch = watch
        self.feed = feed
        self.picture = Picture()

    def take(self) -> None:
        """Take all available updates."""
        while (update := self.watch.take()) is not None:
            self.picture.apply(update)

    async def until(self, seen: Callable[[Picture], bool]) -> Picture:
        """Take updates until a condition holds."""
        async with asyncio.timeout(TEST_TIMEOUT):
            while True:
                self.take()
                if seen(self.picture):
                    return self.picture
                if self.feed.done():
                    self.feed.result()
                    raise AssertionError("the watch has finished")
                available = self.watch.available()
                await asyncio.wait({self.feed, available}, return_when=asyncio.FIRST_COMPLETED)

    async def synced(self) -> Picture:
        return await self.until(lambda picture: picture.synced)

    async def pending(self, names: Iterable[str]) -> Picture:
        """Take updates until exactly these events are pending."""
        wanted = set(names)
        return await self.until(lambda picture: picture.synced and picture.pending() == wanted)

    async def error(self) -> SidecarError:
        """Wait for the error that ends the watch."""
        async with asyncio.timeout(TEST_TIMEOUT):
            await asyncio.wait({self.feed})
        error = self.feed.exception()
        assert isinstance(error, SidecarError)
        return error

    async def close(self) -> None:
        self.feed.cancel()
        with suppress(asyncio.CancelledError, SidecarError):
            await self.feed


class BackendClient:
    """A client of the harness's backend, with the shape of the wire's methods."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.service = EventService(harness.backend())
        self._watching: list[Watching] = []

    async def make(
        self,
        name: str,
        expected_type: Any = "bool",
        parent: str = "a0",
        expires_in: float | None = None,
    ) -> Event:
        """Create an event of the run `RUN`."""
        return await self.ask(RUN, name, parent, expected_type=expected_type, expires_in=expires_in)

    async def get(self, name: str | None = None, **more: Any) -> Event | None:
        return await resolve(self.service.get(Target(RUN, name=name, **more)))

    async def signal(
        self, name: str | None, payload: Payload, payload_type: Any = None, **more: Any
    ) -> Event:
        write = self.service.write(Target(RUN, name=name, **more))
        return await self.service.signal(write, payload, payload_type)

    async def abort(self, name: str | None = None, reason: str | None = None, **more: Any) -> Event:
        return await self.service.abort(self.service.write(Target(RUN, name=name, **more)), reason)

    async def wait(self, name: str | None = None, **more: Any) -> Event:
        return await resolve(self.service.wait(Target(RUN, name=name, **more)))

    async def await_creation(self, name: str | None = None, run: Run = RUN, **more: Any) -> Event:
        target = Target(run, name=name, **more)
        return await resolve(self.service.wait(target, await_creation=True))

    async def page(self, run: Run = RUN, **more: Any) -> EventPage:
        return await resolve(self.service.page(Query(run=run, **{"details": True, **more})))

    async def listing(self, **more: Any) -> list[Event]:
        """Return all pages of a listing."""
        events: list[Event] = []
        cursor = None
        while True:
            page = await self.page(cursor=cursor, **more)
            events += page.events
            cursor = page.next_cursor
            if cursor is None:
                return events

    async def ask(self, run: Run, name: str, parent: str = "a0", **more: Any) -> Event:
        """Create an event of any run."""
        new = NewEvent(run=run, name=name, parent=parent, **more)
        return await self.service.backend.create(new)

    async def answer(self, event: Event, payload: Payload = True) -> Event:
        """Signal an event of any run."""
        write = self.service.write(Target(event.run, action_name=event.action_name))
        return await self.service.signal(write, payload)

    def watch(
        self, run: Run | None = RUN, parent: str | None = None, scope: Scope = SCOPE
    ) -> Watching:
        """Watch a run; None for the pending events of the scope."""
        if run is not None:
            scope = Scope(run.org, run.project, run.domain)
        name = None if run is None else run.name
        watch = CoalescingQueue(WatchSelector(scope=scope, run_name=name, parent=parent))
        watching = Watching(watch, asyncio.ensure_future(self.service.watch(watch)))
        self._watching.append(watching)
        return watching

    async def pending_page(self, scope: Scope = SCOPE, **more: Any) -> EventPage:
        return await resolve(self.service.pending(PendingQuery(scope=scope, **more)))

    async def pending(self, scope: Scope = SCOPE, **more: Any) -> list[Event]:
        """Return all pages of the pending events."""
        page = await self.pending_page(scope, **more)
        events = [*page.events]
        while page.next_cursor is not None:
            page = await self.pending_page(scope, cursor=page.next_cursor, **more)
            events += page.events
        return events

    async def runs_page(self, scope: Scope = SCOPE, **more: Any) -> RunPage:
        return await resolve(self.service.runs(RunsQuery(scope=scope, **more)))

    async def runs(self, scope: Scope = SCOPE, **more: Any) -> list[RunInfo]:
        """Return all pages of the runs."""
        page = await self.runs_page(scope, **more)
        runs = [*page.runs]
        while page.next_cursor is not None:
            page = await self.runs_page(scope, cursor=page.next_cursor, **more)
            runs += page.runs
        return runs

    async def close(self) -> None:
        for watching in self._watching:
            await watching.close()
        await self.harness.close()


async def settle(rounds: int = 5) -> None:
    """Run everything that is ready to run."""
    for _ in range(rounds):
        await asyncio.sleep(0)
