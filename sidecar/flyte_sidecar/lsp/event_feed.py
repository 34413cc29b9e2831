"""Reports the waiting events to a plugin that shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Raw

from flyte_sidecar.events.intern_pool import EventKey, event_key
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.live.live_events import EventChange
from flyte_sidecar.events.model import Event
from flyte_sidecar.lsp.plugin_messages import (
    EVENTS,
    EventId,
    EventsParams,
    event_id,
    event_json,
    params_json,
)
from flyte_sidecar.lsp.texts import error_text

MAX_MESSAGE_BYTES = 1 << 20
"""Approximate size of the events of one message; a single event may be larger."""

MAX_ENDED_BYTES = 8 << 20
"""Total size of the unsent events that have ended, above which all waiting ones are sent anew."""


class EventSource(Protocol):
    """The events of an editor session, which the feed reports.

    Attributes
    ----------
    state
        The state of the connection to the backend.
    omitted
        Number of pending events that are not kept.
    """

    @property
    def state(self) -> BackendState: ...
    @property
    def omitted(self) -> int: ...
    def pending(self) -> Sequence[Event]: ...


class EventFeed:
    """Sends the latest state of each event that has changed since the previous message.

    Parameters
    ----------
    background
        Runs the sending.
    notify
        Sends a notification: its method and params.
    wait_for_room
        Waits while the editor reads nothing. Meanwhile later states replace earlier ones.
    """

    def __init__(
        self,
        background: BackgroundTasks,
        notify: Callable[[str, Raw], None],
        wait_for_room: Callable[[], Awaitable[None]],
    ) -> None:
        self._background = background
        self._notify = notify
        self._wait_for_room = wait_for_room
        self._unsent: dict[EventKey, tuple[EventChange, Event]] = {}
        self._ended_bytes = 0
        self._reset = False
        self._state_changed = False
        self._sending = False
        self._sent_state = BackendState("connecting")

    def follow(self, source: EventSource, backend: str) -> None:
        """Report the events of this source from now on; the plugin forgets all others."""
        self._source, self._backend = source, backend
        self._start_over()

    def on_event(self, event: Event, change: EventChange) -> None:
        """Report that an event of the source has changed."""
        key = event_key(event)
        self._forget(key)
        self._unsent[key] = change, event
        if change != "waiting":
            self._ended_bytes += event.size
            if self._ended_bytes > MAX_ENDED_BYTES:
                self._start_over()
        self._send_later()

    def on_state(self) -> None:
        """Report that the state of the source has changed."""
        self._state_changed = True
        self._send_later()

    def _start_over(self) -> None:
        self._unsent = {event_key(event): ("waiting", event) for event in self._source.pending()}
        self._ended_bytes = 0
        self._reset = True
        self._send_later()

    def _forget(self, key: EventKey) -> None:
        change, event = self._unsent.pop(key, ("waiting", None))
        if event is not None and change != "waiting":
            self._ended_bytes -= event.size

    def _send_later(self) -> None:
        if not self._sending:
            self._sending = True
            self._background.start(self._send())

    async def _send(self) -> None:
        try:
            while self._unsent or self._reset or self._state_changed:
                await self._wait_for_room()
                self._notify(EVENTS, params_json(self._next()))
                await asyncio.sleep(0)
        finally:
            self._sending = False

    def _next(self) -> EventsParams:
        """Return the next message. The last one of several has the new state."""
        reset, self._reset = self._reset, False
        waiting: list[Raw] = []
        ended: list[Raw] = []
        removed: list[EventId] = []
        size = 0
        while self._unsent and size < MAX_MESSAGE_BYTES:
            key, (change, event) = next(iter(self._unsent.items()))
            self._forget(key)
            size += event.size
            if change == "waiting":
                waiting.append(event_json(event))
            elif change == "ended":
                ended.append(event_json(event))
            else:
                removed.append(event_id(event))
        if not self._unsent:
            self._state_changed = False
            self._sent_state = self._source.state
        elif reset:
            self._sent_state = BackendState("connecting")
        error = self._sent_state.error
        return EventsParams(
            reset=reset,
            backend=self._backend,
            phase=self._sent_state.phase,
            error=None if error is None else error_text(error),
            waiting=waiting,
            ended=ended,
            removed=removed,
            omitted=self._source.omitted,
        )
