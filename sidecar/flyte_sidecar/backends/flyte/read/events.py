"""Single events, and which event a name means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from flyte_sidecar.backends.flyte.read.cache import EventCache
from flyte_sidecar.backends.flyte.read.listing import Lister
from flyte_sidecar.backends.flyte.rpc.event_conversion import event_from_details
from flyte_sidecar.backends.flyte.rpc.listed_action import EventMetadata, ListedAction
from flyte_sidecar.backends.flyte.rpc.run_service import ATTEMPTS, RunService
from flyte_sidecar.backends.flyte.rpc.transport import RpcError
from flyte_sidecar.events.backend import CANDIDATES
from flyte_sidecar.events.model import TIMED_OUT, Event, Run, Target

T = TypeVar("T")
U = TypeVar("U")

AT_ONCE = 100
"""Calls for details that one request makes concurrently; a backend takes about 250."""

EXPIRY_GRACE = timedelta(minutes=1)
"""By so much the clocks of this machine and of the backend may differ."""


class EventReader:
    """Reads events; every method raises `RpcError` alone.

    Parameters
    ----------
    service, lister, memory
        What it asks, and what is known.
    url
        Gives a run's page in the console.
    """

    def __init__(
        self,
        service: RunService,
        lister: Lister,
        memory: EventCache,
        url: Callable[[Run], str | None],
    ) -> None:
        self.lister = lister
        self.memory = memory
        self.url = url
        self._service = service

    async def event(
        self, run: Run, action: str, timeout: float | None = None, attempts: int = ATTEMPTS
    ) -> Event | None:
        """Give the event behind an action as it stands, None where there is none."""
        event = await self._read(run, action, timeout, attempts)
        if event is not None and event.pending and self.memory.has_ended(run, action):
            # Its end was reported while these details, which are older, were on their way.
            event = await self._read(run, action, timeout, attempts)
        return event

    async def _read(
        self, run: Run, action: str, timeout: float | None, attempts: int
    ) -> Event | None:
        ends_recorded = self.lister.phases_follow
        try:
            details = await self._service.details(run, action, timeout, attempts)
        except RpcError as failure:
            if failure.status == "NOT_FOUND":
                return None
            raise
        event = event_from_details(details, run, self.url(run))
        if event is None:
            self.memory.learn(run, action, EventMetadata(False))
            return None
        event = await self.told(run, event)
        if ends_recorded and event.pending and not self._may_be_over(event):
            self.lister.proof.confirm(event)
        return event

    def shows_pending(self, row: ListedAction) -> bool:
        """Return whether a listed row alone proves that its event is pending.

        Otherwise only the details show it; `event` and `events` fetch them, and a later row of
        the same event then proves it.
        """
        return (
            not row.ended
            and bool(self.lister.phases_follow)
            and not self.memory.has_ended(row.run, row.action_name)
            and self.lister.proof.covers(row)
        )

    async def events(
        self, actions: Sequence[tuple[Run, str]], failures: dict[str, Exception] | None = None
    ) -> list[Event | None]:
        """Give the events behind some actions, asking for `AT_ONCE` of them at once.

        The first failure is raised. Where there are `failures`, whatever goes wrong with an
        action is added to them instead, and None is returned in its place.
        """

        async def one(action: tuple[Run, str]) -> Event | None:
            try:
                return await self.event(*action)
            except Exception as failure:
                if failures is None:
                    raise
                failures[action[1]] = failure
                return None

        return await each(actions, one)

    async def told(self, run: Run, event: Event) -> Event:
        """Return an event that the backend reported in the form in which it is reported on.

        Releases before 2.0.43 do not record that an event has timed out, and an upgrade does not
        add it. The deadline is by the backend's clock. Where every end is recorded, only that
        clock counts; ours counts elsewhere, after a grace period.
        """
        expires = event.expires_at
        if event.pending and expires is not None:
            if now() > expires + EXPIRY_GRACE:
                await self.lister.learn(run)
            clock = self.lister.proof.clock if self.lister.phases_follow else now()
            if clock > expires + EXPIRY_GRACE:
                event = timed_out(event)
        return self.memory.keep(event)

    def _may_be_over(self, event: Event) -> bool:
        """Return whether the deadline of an event has passed by one of the two clocks."""
        expires = event.expires_at
        return expires is not None and max(now(), self.lister.proof.clock) > expires

    async def find(self, target: Target) -> Event | None:
        """Give the first event created that fits."""
        run = target.run
        if target.action_name is not None:
            return await self.event(run, target.action_name)
        assert target.name is not None
        async for rows in self.lister.named(run, target.name):
            async for event in self._of_name(target, self._fitting(rows, target)):
                return event
        return None

    async def choices(self, target: Target) -> list[Event]:
        """Give the unresolved events that fit, or else the last created."""
        run = target.run
        if target.action_name is not None:
            event = await self.event(run, target.action_name)
            return [] if event is None else [event]
        rows = self._fitting(await self.lister.every(run, target.name), target)
        unresolved = [row for row in rows if not row.ended and self.memory.resolved(row) is None]
        found: list[Event] = []
        async for event in self._of_name(target, unresolved):
            if event.pending:
                found.append(event)
            if len(found) > CANDIDATES:
                break
        if not found:
            async for event in self._of_name(target, rows[::-1]):
                return [event]
        return found

    async def _of_name(self, target: Target, rows: Sequence[ListedAction]) -> AsyncIterator[Event]:
        """Give the events behind rows, without the tasks and whatever has another name."""
        # As a rule the first one is all that is wanted; if it was a task, many more may be.
        for chunk in (rows[:1], *chunks(rows[1:], AT_ONCE)):
            for event in await self.events([(row.run, row.action_name) for row in chunk]):
                if event is not None and event.name == target.name:
                    yield event

    def _fitting(self, rows: Sequence[ListedAction], target: Target) -> list[ListedAction]:
        """Give those rows that may fit a name, as far as is known."""
        fitting = []
        for row in rows:
            self.memory.complete(row)
            if (
                row.is_event is not False
                and row.name in (None, target.name)
                and target.parent in (None, row.parent)
            ):
                fitting.append(row)
        return fitting


async def each(items: Sequence[T], work: Callable[[T], Awaitable[U]]) -> list[U]:
    """Do the work for each item, `AT_ONCE` at once, and give the results in their order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> U:
        async with gate:
            return await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()  # those that are left when one has failed


def timed_out(event: Event) -> Event:
    """Give the event as one that nobody answered in time."""
    return replace(event, phase=TIMED_OUT, pending=False, ended_at=event.expires_at)


def now() -> datetime:
    """Give the instant by this machine's clock."""
    return datetime.now(UTC)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Give the items in order, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
