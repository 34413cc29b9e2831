"""The port between the event core and whatever keeps the events."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Protocol

from flyte_sidecar._futures import MaybeAwaitable
from flyte_sidecar.events.model import (
    Event,
    EventPage,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    RunPage,
    RunsQuery,
    Target,
)

if TYPE_CHECKING:
    from flyte_sidecar.events.watch_feed import WatchFeed

CANDIDATES = 20
"""How many of the events that fit an ambiguous name are told."""


class EventBackend(Protocol):
    """What a backend does; the rules of the events are in `EventService`.

    Every method raises the errors of `flyte_sidecar.errors` alone. Writes (`create`, `signal`,
    `abort`) are durable once they return, and check and change in one step, whoever else
    writes.

    Attributes
    ----------
    kind, endpoint, org, project, domain
        As clients are told them.
    knows_expiry
        Whether an event told as timed out takes no answer for certain. Else that may have been
        found by another clock than the backend's, which is left to refuse a signal.
    """

    kind: str
    endpoint: str | None
    org: str | None
    project: str | None
    domain: str | None
    knows_expiry: bool

    def find(self, target: Target) -> MaybeAwaitable[Event | None]:
        """Give the first event created that fits, or None."""

    def choices(self, target: Target) -> MaybeAwaitable[Sequence[Event]]:
        """Give the events that a write or a wait may mean, a few more than `CANDIDATES` at most.

        For an id: the event itself. For a name: those that are still unresolved, first
        created first; where none is, only the last created. Empty where nothing fits.
        """

    def page(self, query: Query) -> MaybeAwaitable[EventPage]:
        """Give one page of a listing.

        Raises
        ------
        CursorExpired
            If the query's cursor does not stand for a place in this listing.
        """

    def pending(self, query: PendingQuery) -> MaybeAwaitable[EventPage]:
        """Give one page of the events of all runs that wait for an answer; raises as `page`."""

    def runs(self, query: RunsQuery) -> MaybeAwaitable[RunPage]:
        """Give one page of runs, the last created first; raises as `page`."""

    def create(self, new: NewEvent) -> Awaitable[Event]:
        """Make an event that waits for an answer.

        Raises
        ------
        EventExists
            If the name was used before under the same parent.
        UnsupportedByBackend
            If only runs make events here.
        """

    def signal(self, event: Event, payload: Payload) -> Awaitable[Event]:
        """Answer the event with a payload that fits its type, and give it as it then stands.

        The same answer again is no error and changes nothing.

        Raises
        ------
        AlreadySignalled, AlreadyCompleted, EventNotFound
        """

    def abort(self, event: Event, reason: str | None) -> Awaitable[Event]:
        """End the event without an answer; aborting again keeps the first reason.

        Raises
        ------
        AlreadySignalled, AlreadyCompleted, EventNotFound
        """

    async def resolved(self, event: Event) -> Event:
        """Wait until the event is no longer pending, and give it as it then stands.

        The event that is passed in may be partial.
        """

    async def watch(self, watch: WatchFeed) -> None:
        """Put the events watched as they stand, `sync`, then go on to put those that change.

        Returns once nothing can change any more. A backend that is lost is told by `lose`, and
        found again by itself. Raises what cannot be mended.
        """

    async def healthy(self) -> bool:
        """Tell whether the backend answers now."""

    async def close(self) -> None:
        """Let go of everything; no method is called after it."""
