"""Asks the person when a run starts to wait."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from flyte_sidecar._futures import run_in_thread
from flyte_sidecar.events.delivery_leases import DeliveryLeases, LeasesUnavailable
from flyte_sidecar.events.intern_pool import EventKey, event_key
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.model import Event
from flyte_sidecar.lsp.client import SessionState

MAX_QUESTIONS = 3
"""Number of questions that are open at once."""

MAX_STALE_QUESTIONS = 20
"""Number of open questions about events that were answered elsewhere; older ones are withdrawn.

Most editors without a plugin cannot withdraw a question: they continue to show it, and an answer
to it is reported as stale while it is open.
"""

MAX_WAITING = 1000
"""Number of events that wait until a question can be asked; nobody is asked about further ones."""

logger = logging.getLogger(__name__)


class Asking:
    """Asks once about each event that starts to wait.

    Of all windows and editors of a user, and the desktop notifications of `flyte-sidecar notify`,
    the first that claims an event asks about it. Nobody asks again if that one ends before the
    person has answered. Where claims cannot be recorded, every window asks: a question too many is
    better than none.

    Parameters
    ----------
    ask_about
        Asks about an event of a backend, and returns when the question is not open any more.
    max_stale
        Number of questions that stay open although their events were answered elsewhere.
    """

    def __init__(
        self,
        session: SessionState,
        ask_about: Callable[[Event, str], Awaitable[None]],
        leases: DeliveryLeases,
        max_stale: int = MAX_STALE_QUESTIONS,
    ) -> None:
        self._session = session
        self._ask_about = ask_about
        self._leases = leases
        self._max_stale = max_stale
        self._leases_failed = False
        self._waiting: OrderedDict[EventKey, str] = OrderedDict()  # the backend of each
        self._open: dict[EventKey, tuple[str, asyncio.Task[None]]] = {}
        self._stale: OrderedDict[asyncio.Task[None], None] = OrderedDict()
        self._background = BackgroundTasks()

    def on_waiting(self, event: Event) -> None:
        """Ask about an event that has started to wait, now or later."""
        if not self._session.settings.asks_about_run(event.run_name):
            return
        key = event_key(event)
        if key not in self._open and len(self._waiting) < MAX_WAITING:
            self._waiting[key] = self._session.backend_id
        self._ask_next()

    def on_change(self) -> None:
        """Notice that events have been answered, or that the settings have changed."""
        for key, (backend, task) in [*self._open.items()]:
            if self._pending(key, backend) is None:
                del self._open[key]
                self._stale[task] = None
        while len(self._stale) > self._max_stale:
            self._stale.popitem(last=False)[0].cancel()
        self._ask_next()

    async def close(self) -> None:
        """Withdraw all questions."""
        self._waiting.clear()
        await self._background.close()

    def _ask_next(self) -> None:
        while self._waiting and len(self._open) < MAX_QUESTIONS:
            key, backend = self._waiting.popitem(last=False)
            if self._to_ask(key, backend) is not None:
                task = self._background.start(self._ask(key, backend))
                self._open[key] = backend, task
                task.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._stale.pop(task, None)
        for key, (_, asking) in [*self._open.items()]:
            if asking is task:
                del self._open[key]
        self._ask_next()

    async def _ask(self, key: EventKey, backend: str) -> None:
        event = self._to_ask(key, backend)
        # Another editor may have selected only one of several backends.
        if event is None or not await self._claim(
            key, self._session.backend_id_of(event.run.scope)
        ):
            return
        event = self._to_ask(key, backend)  # it may have been answered meanwhile
        if event is not None:
            asking = self._ask_about(event, backend)
            del event  # a question may stay open for days
            await asking

    async def _claim(self, key: EventKey, backend: str) -> bool:
        try:
            return await run_in_thread(self._leases.take, (backend, key))
        except LeasesUnavailable as error:
            if not self._leases_failed:
                self._leases_failed = True
                logger.warning("several windows may ask about the same event: %s", error)
            return True

    def _to_ask(self, key: EventKey, backend: str) -> Event | None:
        """Return the event if it still waits and the settings still allow to ask about it."""
        event = self._pending(key, backend)
        if event is None or not self._session.settings.asks_about_run(event.run_name):
            return None
        return event

    def _pending(self, key: EventKey, backend: str) -> Event | None:
        current = backend == self._session.backend_id
        return self._session.pending_event(key) if current else None
