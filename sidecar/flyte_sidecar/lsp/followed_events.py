"""The events of the backend that the settings select, from the start of an editor session.

They are read, and reported to a plugin, while the rest of the language server is still imported.
"""

from __future__ import annotations

from typing import Protocol

from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.live.live_events import EventChange, LiveEvents
from flyte_sidecar.events.model import Event
from flyte_sidecar.lsp.capabilities import ClientFeatures
from flyte_sidecar.lsp.configuration import Configuration
from flyte_sidecar.lsp.event_feed import EventFeed
from flyte_sidecar.rpc.requests import Context

MAX_QUEUED_EVENTS = 100
"""Number of events that may start to wait before there is a listener; further ones are ignored."""


class Listener(Protocol):
    """What reacts to changes of the events; its methods must not raise."""

    def events_changed(self, names: set[str]) -> None:
        """Take the names of events that have changed, or whose task is known now."""

    def event_waits(self, event: Event) -> None:
        """Take an event that has started to wait since the first sync."""

    def state_changed(self, state: BackendState) -> None:
        """Take a new state of the connection to the backend."""


class FollowedEvents:
    """Follows one backend at a time, and reports its events to a plugin that shows them.

    Attributes
    ----------
    current
        The events of the backend.
    """

    def __init__(
        self, features: ClientFeatures, configuration: Configuration, context: Context
    ) -> None:
        self._listener: Listener | None = None
        self._queued: list[Event] = []
        self._configuration = configuration
        self._background = BackgroundTasks()
        self._feed: EventFeed | None = None
        if features.shows_events:
            self._feed = EventFeed(self._background, context.notify, context.wait_for_room)
        self.follow()

    def listen(self, listener: Listener) -> None:
        """Call a listener from now on, and with the events that have started to wait before."""
        self._listener = listener
        for event in self._queued:
            listener.event_waits(event)
        self._queued.clear()

    def follow(self) -> None:
        """Follow the events that the settings select now; the caller closes the previous ones."""
        backends = self._configuration.backends
        self.current = LiveEvents(
            backends.service,
            on_change=self._changed,
            on_event=self._report,
            on_waiting=self._waits,
            on_state=self._state_changed,
            includes=lambda event: self._configuration.settings.shows_run(event.run_name),
        )
        if self._feed is not None:
            self._feed.follow(self.current, backends.backend_id)
        self.current.start()

    async def close(self) -> None:
        """Stop following."""
        await self.current.close()
        await self._background.close()

    def _changed(self, names: set[str]) -> None:
        if self._listener is not None:
            self._listener.events_changed(names)

    def _report(self, event: Event, change: EventChange) -> None:
        if self._feed is not None:
            self._feed.on_event(event, change)

    def _waits(self, event: Event) -> None:
        if self._listener is not None:
            self._listener.event_waits(event)
        elif len(self._queued) < MAX_QUEUED_EVENTS:
            self._queued.append(event)

    def _state_changed(self, state: BackendState) -> None:
        if self._feed is not None:
            self._feed.on_state()
        if self._listener is not None:
            self._listener.state_changed(state)
