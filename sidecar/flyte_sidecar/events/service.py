"""The rules of events, independent of the backend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from flyte_sidecar._futures import MaybeAwaitable, resolve
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    AmbiguousEvent,
    EventNotFound,
    PayloadTypeMismatch,
)
from flyte_sidecar.events import payloads
from flyte_sidecar.events.backend import CANDIDATES, EventBackend
from flyte_sidecar.events.model import (
    ABORTED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    EventPage,
    ExpectedType,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    Run,
    RunPage,
    RunsQuery,
    Scope,
    Target,
    without_details,
)
from flyte_sidecar.events.write_order import Write, WriteOrder, ended

if TYPE_CHECKING:
    from flyte_sidecar.events.await_creation import CreationWaits
    from flyte_sidecar.events.coalescing import CoalescingQueue

A = TypeVar("A")
T = TypeVar("T")


class EventService:
    """The operations on events for one client.

    They take effect in the order of the calls, not of the awaits. Therefore a write first registers
    with `write`, and reads are plain functions.
    """

    def __init__(self, backend: EventBackend) -> None:
        self.backend = backend
        self._order = WriteOrder(backend.order_key)
        self._default_scope = backend.scope(None, None, None)

    def scope(self, org: str | None, project: str | None, domain: str | None) -> Scope:
        """Return the scope of a request, with the backend's defaults for what it omits."""
        return self.backend.scope(org, project, domain)

    def run(
        self,
        name: str,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
    ) -> Run:
        """Return the full name of a run, with the defaults of `scope`."""
        scope = self._default_scope
        if org or project or domain:
            scope = self.backend.scope(org, project, domain)
        return Run(scope.org, scope.project, scope.domain, name)

    def get(self, target: Target) -> MaybeAwaitable[Event | None]:
        """Return the first event created that matches, or None."""
        return self._read(target.run, self.backend.find, target)

    def choices(self, target: Target) -> MaybeAwaitable[Sequence[Event]]:
        """Return the events to which a write or a wait for the target may refer."""
        return self._read(target.run, self.backend.choices, target)

    def page(self, query: Query) -> MaybeAwaitable[EventPage]:
        """Return one page of the events of a run, in creation order."""
        return self._read(query.run, self.backend.page, query)

    def pending(self, query: PendingQuery) -> MaybeAwaitable[EventPage]:
        """Return one page of the pending events of all runs."""
        return self._read(None, self.backend.pending, query)

    def runs(self, query: RunsQuery) -> MaybeAwaitable[RunPage]:
        """Return one page of runs, the last created first."""
        return self._read(None, self.backend.runs, query)

    def wait(self, target: Target, await_creation: bool = False) -> MaybeAwaitable[Event]:
        """Return the event once it is no longer pending.

        With `await_creation`, also wait for an event that does not exist yet.
        """
        choose = self._choose_once_created if await_creation else self._choose
        return self._after(self._order.before(target.run), partial(self._wait, choose), target)

    def watch(self, watch: CoalescingQueue) -> Coroutine[Any, Any, None]:
        """Feed a watch until nothing can change any more."""
        return self._after(self._order.before(watch.selector.run), self.backend.watch, watch)

    def _read(
        self, run: Run | None, read: Callable[[A], MaybeAwaitable[T]], argument: A
    ) -> MaybeAwaitable[T]:
        """Read once the earlier writes to the run have ended; immediately if there are none."""
        earlier = self._order.before(run)
        return self._after(earlier, read, argument) if earlier else read(argument)

    async def _after(
        self, earlier: list[Write], read: Callable[[A], MaybeAwaitable[T]], argument: A
    ) -> T:
        await ended(earlier)
        return await resolve(read(argument))

    async def _wait(self, choose: Callable[[Target], Awaitable[Event]], target: Target) -> Event:
        from flyte_sidecar.events.intern_pool import (  # most clients never wait
            EVENT_POOL,
            event_key,
        )

        # Thousands may wait for one large event, and their results may queue for a slow reader.
        event = await choose(target)
        if event.pending:
            event = without_details(event)
            event = await self.backend.resolved(event)
        return EVENT_POOL.intern(event_key(event), event)

    def is_over(self, event: Event) -> bool:
        """Return whether an event certainly rejects a first answer."""
        return not event.pending and (event.phase != TIMED_OUT or self.backend.knows_expiry)

    def write(self, target: Target) -> Write:
        """Register a write in the order of writes; pass it to the method that performs it."""
        return self._order.enter(target)

    async def create(self, write: Write, new: NewEvent) -> Event:
        """Create a pending event."""
        async with write:
            await write.turn()
            return await write.perform(self.backend.create(new))

    async def signal(
        self, write: Write, payload: Payload, payload_type: ExpectedType | None = None
    ) -> Event:
        """Answer an event; answering it again with the same value changes nothing."""
        async with write:
            await write.turn()
            event = await self._choose(write.target)
            write.action_name = event.action_name
            if self.is_over(event):
                return signalled_again(event, payload, payload_type)
            try:
                value = payloads.fit(payload, event.expected_type, payload_type)
            except PayloadTypeMismatch:
                if not event.pending:
                    raise completed(event) from None
                raise
            return await write.perform(self.backend.signal(event, value))

    async def abort(self, write: Write, reason: str | None) -> Event:
        """Abort an event."""
        async with write:
            await write.turn()
            event = await self._choose(write.target)
            write.action_name = event.action_name
            if not event.pending:
                return aborted_again(event)
            return await write.perform(self.backend.abort(event, reason))

    async def _choose(self, target: Target) -> Event:
        return _only(target, await resolve(self.backend.choices(target)))

    async def _choose_once_created(self, target: Target) -> Event:
        return _only(target, await self._creation_waits.wait_for_choices(target))

    @cached_property
    def _creation_waits(self) -> CreationWaits:
        """The waits for future events; imported on first use."""
        from flyte_sidecar.events.await_creation import CreationWaits

        return CreationWaits(self.backend)


def _only(target: Target, choices: Sequence[Event]) -> Event:
    if not choices:
        raise EventNotFound(f"there is no {target}")
    if len(choices) > 1:
        raise AmbiguousEvent(
            f"several unresolved events match the {target}: specify `actionName`",
            candidates=list(choices[:CANDIDATES]),
        )
    return choices[0]


def signalled_again(
    event: Event, payload: Payload, payload_type: ExpectedType | None = None
) -> Event:
    """Return an event that is no longer pending if the signal repeats its answer.

    Raises
    ------
    AlreadySignalled
        If the event has another answer.
    AlreadyCompleted
        If the event ended without an answer.
    """
    if event.phase != SUCCEEDED:
        raise completed(event)
    try:
        value = payloads.fit(payload, event.expected_type, payload_type)
    except PayloadTypeMismatch:
        value = None
    if not payloads.same(value, event.payload):
        raise AlreadySignalled(
            f"{_describe(event)} was already signalled with another value", event=event
        )
    return event


def aborted_again(event: Event) -> Event:
    """Return an event that is no longer pending if it was aborted; raises as `signalled_again`."""
    if event.phase == ABORTED:
        return event
    if event.phase == SUCCEEDED:
        raise AlreadySignalled(f"{_describe(event)} was already signalled", event=event)
    raise completed(event)


def completed(event: Event) -> AlreadyCompleted:
    """Return the error of an event that ended without an answer."""
    return AlreadyCompleted(f"{_describe(event)} already ended: {event.phase}", event=event)


def _describe(event: Event) -> str:
    return f"event {event.name!r} ({event.action_name}) of run {event.run_name!r}"
