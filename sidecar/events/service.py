"""The rules of events, whatever backend keeps them."""

from __future__ import annotations

from typing import TypeVar, cast

from sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    AmbiguousEvent,
    EventNotFound,
    PayloadTypeMismatch,
)
from sidecar.events import payload as payloads
from sidecar.events.backend import CANDIDATES, LATER, EventBackend, Soon
from sidecar.events.model import (
    ABORTED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    EventPage,
    ExpectedType,
    NewEvent,
    Payload,
    Query,
    Run,
    Target,
)
from sidecar.events.order import Write, WriteOrder, ended

T = TypeVar("T")


class EventService:
    """What one client may do with events.

    Calls count in the order in which they are made, not in which they are awaited: that is
    why a write first takes its place with `write`, and the reads are no coroutines.
    """

    def __init__(self, backend: EventBackend) -> None:
        self.backend = backend
        self._order = WriteOrder()

    def run(self, name: str, org: str | None, project: str | None, domain: str | None) -> Run:
        """Name a run in full, by the connection's own scope where the caller leaves it out."""
        backend = self.backend
        return Run(org or backend.org, project or backend.project, domain or backend.domain, name)

    def get(self, target: Target) -> Soon[Event | None]:
        """Give the first event created that fits, or None."""
        earlier = self._order.before(target.run)
        return self._get(earlier, target) if earlier else self.backend.find(target)

    async def _get(self, earlier: list[Write], target: Target) -> Event | None:
        await ended(earlier)
        return await arrived(self.backend.find(target))

    def page(self, query: Query) -> Soon[EventPage]:
        """Give one page of the events of a run, in creation order."""
        earlier = self._order.before(query.run)
        return self._page(earlier, query) if earlier else self.backend.page(query)

    async def _page(self, earlier: list[Write], query: Query) -> EventPage:
        await ended(earlier)
        return await arrived(self.backend.page(query))

    def wait(self, target: Target) -> Soon[Event]:
        """Give the event once it is no longer pending."""
        return self._wait(self._order.before(target.run), target)

    async def _wait(self, earlier: list[Write], target: Target) -> Event:
        await ended(earlier)
        event = await self._choose(target)
        return await self.backend.resolved(event) if event.pending else event

    def write(self, target: Target) -> Write:
        """Take a place among the writes, to be handed to the write that follows."""
        return self._order.enter(target)

    async def create(self, write: Write, new: NewEvent) -> Event:
        """Make an event that waits for an answer."""
        async with write:
            await write.turn()
            return await write.carry_out(self.backend.create(new))

    async def signal(
        self, write: Write, payload: Payload, payload_type: ExpectedType | None = None
    ) -> Event:
        """Answer an event; answering it again with the same value changes nothing."""
        async with write:
            await write.turn()
            event = await self._choose(write.target)
            write.action_name = event.action_name
            if not event.pending and (event.phase != TIMED_OUT or self.backend.knows_expiry):
                return signalled_again(event, payload, payload_type)
            try:
                value = payloads.fit(payload, event.expected_type, payload_type)
            except PayloadTypeMismatch:
                if not event.pending:
                    raise completed(event) from None
                raise
            return await write.carry_out(self.backend.signal(event, value))

    async def abort(self, write: Write, reason: str | None) -> Event:
        """End an event without an answer."""
        async with write:
            await write.turn()
            event = await self._choose(write.target)
            write.action_name = event.action_name
            if not event.pending:
                return aborted_again(event)
            return await write.carry_out(self.backend.abort(event, reason))

    async def _choose(self, target: Target) -> Event:
        choices = await arrived(self.backend.choices(target))
        if not choices:
            raise EventNotFound(f"there is no {target}")
        if len(choices) > 1:
            raise AmbiguousEvent(
                f"several unresolved events fit: {target}; say which by actionName",
                candidates=list(choices[:CANDIDATES]),
            )
        return choices[0]


async def arrived(soon: Soon[T]) -> T:
    """Wait for a result that may have been there at once."""
    if isinstance(soon, LATER):
        result: T = await soon
        return result
    return cast(T, soon)


def signalled_again(
    event: Event, payload: Payload, payload_type: ExpectedType | None = None
) -> Event:
    """Judge a signal to an event that is no longer pending.

    Raises
    ------
    AlreadySignalled
        If the event has another answer.
    AlreadyCompleted
        If it ended without one.
    """
    if event.phase != SUCCEEDED:
        raise completed(event)
    try:
        value = payloads.fit(payload, event.expected_type, payload_type)
    except PayloadTypeMismatch:
        value = None
    if not payloads.same(value, event.payload):
        raise AlreadySignalled(
            f"{_named(event)} was already signalled with another value", event=event
        )
    return event


def aborted_again(event: Event) -> Event:
    """Judge an abort of an event that is no longer pending; raises as `signalled_again`."""
    if event.phase == ABORTED:
        return event
    if event.phase == SUCCEEDED:
        raise AlreadySignalled(f"{_named(event)} was already signalled", event=event)
    raise completed(event)


def completed(event: Event) -> AlreadyCompleted:
    """Say that the event ended without an answer."""
    return AlreadyCompleted(f"{_named(event)} already ended: {event.phase}", event=event)


def _named(event: Event) -> str:
    return f"event {event.name!r} ({event.action_name}) of run {event.run_name!r}"
