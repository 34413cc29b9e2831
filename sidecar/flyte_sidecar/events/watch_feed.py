"""What a watch selects, and the feed to which a backend reports events."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import ANY_SCOPE, BackendName, Event, Run, Scope


class WatchSelector(Struct, frozen=True, kw_only=True):
    """The events that a watch reports: those of one run, or the pending ones of a scope.

    Attributes
    ----------
    run_name
        The run; None selects the pending events of all runs.
    parent
        Only events under this action.
    """

    scope: Scope
    run_name: str | None = None
    parent: str | None = None

    @property
    def run(self) -> Run | None:
        """The run, if only one is watched."""
        if self.run_name is None:
            return None
        return self.scope.run(self.run_name)

    def matches(self, event: Event) -> bool:
        """Return whether the event is selected, regardless of whether it is pending."""
        return (
            self.run_name in (None, event.run_name)
            and self.parent in (None, event.parent)
            and self.scope in (Scope(event.org, event.project, event.domain), ANY_SCOPE)
        )


class Feed(Protocol):
    """Receives events from a backend: first the current ones, then each change."""

    def put(self, event: Event) -> None:
        """Report the current state of an event."""

    def remove(self, event: Event) -> None:
        """Report that an event no longer exists; `event` is its last known state."""

    def sync(self) -> None:
        """Report that all current events have been put."""

    def disconnect(self, error: SidecarError) -> None:
        """Report that the backend is unreachable; the next `sync` reports the end of that.

        Raises
        ------
        SidecarError
            The same error, if not all current events have been put yet.
        """


class WatchFeed(Feed, Protocol):
    """The feed of a watch, which applies back-pressure.

    Attributes
    ----------
    needs_backend
        Whether the watch ends if none of several backends can be watched, and retrying does not
        resolve the errors.
    """

    selector: WatchSelector
    needs_backend: bool

    def sync(self, backend: BackendName | None = None) -> None:
        """Report that all current events have been put.

        Parameters
        ----------
        backend
            One of several backends, which was disconnected before; None for all of them.
        """

    def disconnect(self, error: SidecarError, backend: BackendName | None = None) -> None:
        """Report that a backend is unreachable; the next `sync` of it reports the end of that.

        Parameters
        ----------
        backend
            One of several backends: its error is never raised. None for the only backend.
        """

    @property
    def full(self) -> bool:
        """Whether so many bytes are queued that changes should be put later, if possible."""

    def has_event(self, run: Run, action_name: str) -> bool:
        """Return whether the event was put before: else an inbox does not report its end."""

    async def room(self) -> None:
        """Wait while too much is queued (back-pressure)."""
