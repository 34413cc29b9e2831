"""Follows the waiting events of a backend, and notifies of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli.event_filter import EventFilter
from flyte_sidecar.cli.notify.dispatcher import Dispatcher, EventSource
from flyte_sidecar.cli.notify.notice import Channel
from flyte_sidecar.cli.notify.schedule import Schedule
from flyte_sidecar.errors import SidecarError, Unauthenticated
from flyte_sidecar.events.delivery_leases import DeliveryLeases, EventName
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.live.live_events import EventChange, LiveEvents
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.events.service import EventService

RESTART_INTERVAL = 300.0
"""Seconds after which a backend is tried again that failed in a way that seems permanent."""

DETAILS_TIMEOUT = 5.0
"""Seconds to wait for the prompt of an event, without which the notification is shorter."""

logger = logging.getLogger(__name__)


class Notifier:
    """Notifies of the events of a backend by all channels.

    Parameters
    ----------
    service
        The events.
    backend_id
        Returns the id of the backend that has an event.
    leases
        Returns the leases of a channel by its name.
    wanted
        The events to notify of.
    login_command
        The command that logs in, for the log.
    """

    def __init__(
        self,
        service: EventService,
        channels: Sequence[Channel],
        *,
        backend_id: Callable[[Event], str],
        leases: Callable[[str], DeliveryLeases],
        wanted: EventFilter,
        schedule: Schedule,
        login_command: str,
    ) -> None:
        self._service = service
        self._backend_id = backend_id
        self._login_command = login_command
        self._events = LiveEvents(
            service,
            on_event=self._on_event,
            on_waiting=self._on_waiting,
            on_state=self._on_state,
            includes=lambda event: wanted.matches(event, datetime.now(UTC)),
        )
        source = EventSource(lambda name: self._events.get(name[1]), self._detailed)
        self._dispatchers = [
            Dispatcher(channel, leases(channel.lease_name), source, schedule)
            for channel in channels
        ]
        self._started = False
        self._restart: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start to follow the events."""
        self._events.start()

    async def close(self) -> None:
        """Stop; deliveries have a few seconds to finish."""
        if self._restart is not None:
            self._restart.cancel()
        await self._events.close()
        await asyncio.gather(*(dispatcher.close() for dispatcher in self._dispatchers))

    def _name(self, event: Event) -> EventName:
        return self._backend_id(event), event_key(event)

    def _on_event(self, event: Event, change: EventChange) -> None:
        name = self._name(event)
        for dispatcher in self._dispatchers:
            if change == "waiting":
                dispatcher.add(name, event)
            else:
                dispatcher.remove(name)

    def _on_waiting(self, event: Event) -> None:
        name = self._name(event)
        for dispatcher in self._dispatchers:
            dispatcher.mark_as_new(name)

    def _on_state(self, state: BackendState) -> None:
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if state.phase == "ready":
            logger.info("following the events; %d wait now", len(self._events.pending()))
        if state.error is not None:
            error = sanitize(f"{state.error.kind}: {state.error.message}")
            logger.warning("the events cannot be followed now: %s", error)
        if isinstance(state.error, Unauthenticated):
            logger.warning("log in, and notifications continue: %s", self._login_command)
        elif state.phase == "failed":
            loop = asyncio.get_running_loop()
            self._restart = loop.call_later(RESTART_INTERVAL, self._events.restart)
        if state.phase != "connecting" and not self._started:
            # Only now: what was missed is reported in one notification.
            self._started = True
            for dispatcher in self._dispatchers:
                dispatcher.start()

    async def _detailed(self, event: Event) -> Event:
        with suppress(SidecarError, TimeoutError):
            async with asyncio.timeout(DETAILS_TIMEOUT):
                return await resolve(self._service.get(event.target)) or event
        return event
