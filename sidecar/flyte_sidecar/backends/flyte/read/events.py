"""Reads of single events, and lookups of events by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from flyte_sidecar.backends.flyte.cache import EventCache
from flyte_sidecar.backends.flyte.read.actions import ActionLister
from flyte_sidecar.backends.flyte.read.single_flight import SingleFlight
from flyte_sidecar.backends.flyte.rpc.event_conversion import event_from_details, event_from_listing
from flyte_sidecar.backends.flyte.rpc.listed_action import EventMetadata, ListedAction
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.events.backend import CANDIDATES
from flyte_sidecar.events.model import TIMED_OUT, Event, Run, Target
from flyte_sidecar.events.write_order import is_writing

T = TypeVar("T")
U = TypeVar("U")

MAX_CONCURRENT_READS = 100
"""Maximum number of concurrent calls of one request; a backend serves about 250 at once."""


class EventReader:
    """Reads events into the cache; every method raises only `RpcError`.

    Parameters
    ----------
    url
        Returns the page of an action of a run in the console.

    Attributes
    ----------
    on_write_end
        Called with the run when a write to one of its events has ended.
    """

    def __init__(
        self,
        service: RunService,
        lister: ActionLister,
        cache: EventCache,
        url: Callable[[Run, str], str | None],
        timing: Timing,
    ) -> None:
        self.lister = lister
        self.cache = cache
        self.url = url
        self.timing = timing
        self.on_write_end: Callable[[Run], None] = lambda run: None
        self._service = service
        # The key includes `is_writing`: reads of a write have their own concurrency limit.
        self._reads = SingleFlight[tuple[Run, str, bool], "Event | None"](self._read)
        self._writes: dict[tuple[Run, str], object] = {}

    async def event(self, run: Run, action: str) -> Event | None:
        """Return the event behind an action, None if there is none."""
        return await self._reads((run, action, is_writing()))

    async def _read(self, key: tuple[Run, str, bool]) -> Event | None:
        run, action, _ = key
        event = await self._fetch(run, action)
        if event is None or (stored := self.cache.update(event)) is not None:
            return event and stored
        # The details are stale: the end of the event was reported during the call.
        event = await self._fetch(run, action)
        return event and self.cache.update(event, reread=True)

    async def _fetch(self, run: Run, action: str) -> Event | None:
        updates_phases = self.lister.updates_phases
        try:
            details = await self._service.details(run, action)
        except RpcError as failure:
            if failure.status == "NOT_FOUND":
                return None
            raise
        event = event_from_details(details, run, self.url(run, action))
        if event is None:
            self.cache.add_metadata(run, action, EventMetadata(False))
            return None
        event = await self._with_expiry(run, event)
        if updates_phases and event.pending and not self._may_have_expired(event):
            self.lister.evidence.record_pending(event)
        return event

    async def _with_expiry(self, run: Run, event: Event) -> Event:
        """Return the event, timed out if its deadline and the maximum clock skew have passed.

        Releases before 2.0.43 do not record that an event has timed out, and an upgrade does not
        correct that. The clock is the backend's where it updates phases, else this machine's.
        """
        expires = event.expires_at
        if not event.pending or expires is None:
            return event
        due = expires + timedelta(seconds=self.timing.max_clock_skew)
        if self.timing.now() > due:
            await self.lister.detect_phase_updates(run)
        clock = self.lister.evidence.clock if self.lister.updates_phases else self.timing.now()
        return timed_out(event) if clock > due else event

    def _may_have_expired(self, event: Event) -> bool:
        """Return whether the deadline of an event has passed by one of the two clocks."""
        expires = event.expires_at
        return expires is not None and self._latest_clock() > expires

    def _latest_clock(self) -> datetime:
        return max(self.timing.now(), self.lister.evidence.clock)

    @contextmanager
    def mark_write_in_progress(self, run: Run, action: str) -> Iterator[None]:
        """Prevent the run's informer from reading an event that a write is about to read back.

        After `read_back_timeout` it may read the event again, since the write may hang.
        """
        key, write = (run, action), object()

        def end() -> None:
            if self._writes.get(key) is write:
                del self._writes[key]
                self.on_write_end(run)

        self._writes[key] = write
        timer = asyncio.get_running_loop().call_later(self.timing.read_back_timeout, end)
        try:
            yield
        finally:
            timer.cancel()
            end()

    def has_write_in_progress(self, run: Run, action: str) -> bool:
        """Return whether a write to an event is under way."""
        return (run, action) in self._writes

    def proves_pending(self, row: ListedAction) -> bool:
        """Return whether a listed row alone proves that its event is pending.

        Otherwise the details have to be read. If they show the event as pending, later rows of it
        prove that.
        """
        return (
            not row.ended
            and bool(self.lister.updates_phases)
            and not self.cache.is_resolved(row.run, row.action_name)
            and self.lister.evidence.is_phase_reliable(row)
        )

    async def events(
        self, actions: Sequence[tuple[Run, str]], failures: dict[str, Exception] | None = None
    ) -> list[Event | None]:
        """Return the event of each action, None if it has none.

        The first failure is raised. With `failures`, failures are added to them by action instead,
        and None is returned in place of the event.
        """

        async def read(action: tuple[Run, str]) -> Event | None:
            try:
                return await self.event(*action)
            except Exception as failure:
                if failures is None:
                    raise
                failures[action[1]] = failure
                return None

        return await map_concurrently(actions, read)

    async def resolve_rows(
        self,
        rows: Sequence[ListedAction],
        *,
        details: Callable[[ListedAction], bool],
        wants: Callable[[str], bool] = lambda _: True,
        failures: dict[str, Exception] | None = None,
    ) -> list[Event | None]:
        """Return the events of listed rows, None for tasks and events in unwanted phases.

        Parameters
        ----------
        details
            Returns whether a row needs its details even if that costs a call.
        wants
            Returns whether events in a phase are wanted.
        failures
            As for `events`.
        """
        found: list[Event | None] = [None] * len(rows)
        unknown: list[int] = []
        for index, row in enumerate(rows):
            event = self.cache.resolved(row)
            phase = event.phase if event is not None else row.phase
            certain = event is not None or row.ended or self.proves_pending(row)
            if row.is_event is False or (certain and not wants(phase)):
                continue
            if event is None and certain:
                if not details(row) and row.is_complete:
                    event = event_from_listing(row, self.url(row.run, row.action_name))
                elif not row.ended:
                    event = self.cache.pending(row)
            if event is None:
                unknown.append(index)
            else:
                found[index] = self.cache.update(event)
        actions = [(rows[index].run, rows[index].action_name) for index in unknown]
        events = await self.events(actions, failures)
        for index, event in zip(unknown, events, strict=True):
            if event is not None and wants(event.phase):
                found[index] = event
        return found

    async def find(self, target: Target) -> Event | None:
        """Return the first created event that matches the target."""
        run = target.run
        if target.action_name is not None:
            return await self.event(run, target.action_name)
        assert target.name is not None
        async for rows in self.lister.list_named(run, target.name):
            async for event in self._named(target, self._matching(rows, target)):
                return event
        return None

    async def choices(self, target: Target) -> list[Event]:
        """Return the pending events that match the target, or else the last created one."""
        run = target.run
        if target.action_name is not None:
            # It may be stale: the backend validates a signal, and waits and aborts read it again.
            chosen = self.cache.use_without_read(run, target.action_name)
            event = chosen or await self.event(run, target.action_name)
            return [] if event is None else [event]
        rows = self._matching(await self.lister.list_all(run, target.name), target)
        unresolved = [row for row in rows if not row.ended and self.cache.resolved(row) is None]
        found: list[Event] = []
        async for event in self._named(target, unresolved):
            if event.pending:
                found.append(event)
            if len(found) > CANDIDATES:
                break
        if not found:
            async for event in self._named(target, rows[::-1]):
                return [event]
        return found

    async def _named(self, target: Target, rows: Sequence[ListedAction]) -> AsyncIterator[Event]:
        """Yield the events of rows that have the target's name."""
        # Usually the first row is the only one that is needed; if it is a task, many may be.
        for chunk in (rows[:1], *chunks(rows[1:], MAX_CONCURRENT_READS)):
            for event in await self.events([(row.run, row.action_name) for row in chunk]):
                if event is not None and event.name == target.name:
                    yield event

    def _matching(self, rows: Sequence[ListedAction], target: Target) -> list[ListedAction]:
        """Return the rows that may be events of the target's name and parent."""
        matching = []
        for row in rows:
            self.cache.fill_metadata(row)
            if (
                row.is_event is not False
                and row.name in (None, target.name)
                and target.parent in (None, row.parent)
            ):
                matching.append(row)
        return matching


async def map_concurrently(items: Sequence[T], call: Callable[[T], Awaitable[U]]) -> list[U]:
    """Return the result of a call for each item; at most `MAX_CONCURRENT_READS` at once."""
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def call_one(item: T) -> U:
        async with semaphore:
            return await call(item)

    tasks = [asyncio.ensure_future(call_one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def timed_out(event: Event) -> Event:
    """Return the event in the state of having timed out."""
    return replace(event, phase=TIMED_OUT, pending=False, ended_at=event.expires_at)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in order, in chunks of the given size."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
