"""The port between the event core and the backends that store the events."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from flyte_sidecar._futures import MaybeAwaitable
from flyte_sidecar.events.model import (
    BackendName,
    Event,
    EventPage,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    Run,
    RunPage,
    RunsQuery,
    Scope,
    Target,
    TaskName,
)

if TYPE_CHECKING:
    from flyte_sidecar.events.watch_feed import WatchFeed

CANDIDATES = 20
"""Maximum number of matching events that the error for an ambiguous name lists."""


class EventBackend(Protocol):
    """A backend; the rules of events are in `EventService`.

    Every method raises only the errors of `flyte_sidecar.errors`. Writes (`create`, `signal`,
    `abort`) are durable once they return, and check and change atomically.

    Attributes
    ----------
    kind, endpoint, org, project, domain
        As reported to clients.
    knows_expiry
        Whether an event that was read as timed out certainly rejects signals. Otherwise it may
        only seem so because of clock skew, and a signal is sent to the backend.
    """

    kind: str
    endpoint: str | None
    org: str | None
    project: str | None
    domain: str | None
    knows_expiry: bool

    def scope(self, org: str | None, project: str | None, domain: str | None) -> Scope:
        """Return the scope of a request, with the defaults for what it omits."""

    def name_of(self, scope: Scope) -> BackendName:
        """Return the name of the backend, or of that which has the runs of a scope."""

    def order_key(self, run: Run) -> Run:
        """Return what a run has in common with all other names of the same run.

        The names differ only in their scopes. Writes to one run are performed in order.
        """

    def find(self, target: Target) -> MaybeAwaitable[Event | None]:
        """Return the first event created that matches, or None."""

    def choices(self, target: Target) -> MaybeAwaitable[Sequence[Event]]:
        """Return the events that a write or a wait may refer to, about `CANDIDATES` at most.

        For an id: the event itself. For a name: the unresolved events, first created first, or if
        there are none, only the last created event. Empty if nothing matches.
        """

    def page(self, query: Query) -> MaybeAwaitable[EventPage]:
        """Return one page of a listing.

        Raises
        ------
        CursorExpired
            If the query's cursor does not belong to this listing.
        """

    def pending(self, query: PendingQuery) -> MaybeAwaitable[EventPage]:
        """Return one page of the pending events of all runs; raises as `page`."""

    def runs(self, query: RunsQuery) -> MaybeAwaitable[RunPage]:
        """Return one page of runs, the last created first; raises as `page`."""

    def create(self, new: NewEvent) -> Awaitable[Event]:
        """Create a pending event.

        Raises
        ------
        EventExists
            If the parent already has an event of that name.
        UnsupportedByBackend
            If only runs create events in this backend.
        """

    def signal(self, event: Event, payload: Payload) -> Awaitable[Event]:
        """Answer the event with a payload of its type, and return its new state.

        The same answer again is no error and changes nothing.

        Raises
        ------
        AlreadySignalled, AlreadyCompleted, EventNotFound
        """

    def abort(self, event: Event, reason: str | None) -> Awaitable[Event]:
        """Abort the event and return its new state; aborting again keeps the first reason.

        Raises
        ------
        AlreadySignalled, AlreadyCompleted, EventNotFound
        """

    async def resolved(self, event: Event) -> Event:
        """Wait until the event is no longer pending, and return its state.

        The `event` parameter may be partial.
        """

    async def watch(self, watch: WatchFeed) -> None:
        """Put the current events into the feed, call `sync`, then put every change.

        Returns once nothing can change any more. If the backend is unreachable, it calls
        `disconnect` and reconnects. It raises the errors that reconnecting cannot resolve.
        """

    async def parent_task(self, event: Event) -> TaskName | None:
        """Return the task that created an event: the one whose action is the event's parent.

        None if it is unknown, or cannot be read now; errors are not raised.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """Return a context in which reads that return immediately may share one transaction.

        It begins with the context. Nothing is awaited in the context.
        """

    async def healthy(self) -> bool:
        """Return whether the backend responds."""

    async def settle(self) -> None:
        """Wait until nothing is lost if the process ends, for a few seconds at most."""

    async def close(self) -> None:
        """Release all resources; no method is called afterwards."""
