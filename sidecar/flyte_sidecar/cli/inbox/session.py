"""The backend of an inbox: its events, logins and writes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from flyte_sidecar._futures import resolve, wait_all
from flyte_sidecar.cli.answering import writes
from flyte_sidecar.cli.opened import opened, require_scope
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.attended_logins import AttendedLogins
from flyte_sidecar.events.live.backend_state import Phase
from flyte_sidecar.events.live.live_events import EventChange, LiveEvents
from flyte_sidecar.events.model import BACKEND_TITLES, Event, Payload
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, outcome, title
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.events.service import EventService

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import LoginRequest
    from flyte_sidecar.server.settings import Options


class View(Protocol):
    """What shows the events; its methods must not raise."""

    def on_event(self, event: Event, change: EventChange) -> None:
        """Show a change of an event."""

    def on_state(self) -> None:
        """Show a change of the connection, or of the logins."""


class Written(Struct, frozen=True):
    """The result of an answer or of an abort.

    Attributes
    ----------
    text
        The result as a sentence.
    event
        The event, if it has ended.
    """

    text: str
    event: Event | None = None


class Logins(AttendedLogins):
    """The logins that the user must finish.

    Attributes
    ----------
    messages
        What to show for each login.
    failure
        Why the last one failed, until another one is required.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        super().__init__()
        self.messages: dict[str, str] = {}
        self.failure: str | None = None
        self._on_change = on_change

    def required(self, login: LoginRequest) -> None:
        super().required(login)
        self.messages[login.url] = login.message
        self.failure = None
        self._on_change()

    def ended(self, login: LoginRequest, error: str | None) -> None:
        super().ended(login, error)
        self.messages.pop(login.url, None)
        self.failure = error
        self._on_change()


class Session:
    """The events of a backend, and the writes of the user.

    Attributes
    ----------
    title
        The backend, as messages name it.
    live
        The events.
    logins
        The logins that the user must finish.
    """

    def __init__(self, service: EventService, view: View, logins: Logins) -> None:
        kind = service.backend.kind
        self.title = _title([name for name in BACKEND_TITLES if kind in (name, "all")])
        self.logins = logins
        self.live = LiveEvents(
            service, on_event=view.on_event, on_state=lambda state: view.on_state()
        )
        self._service = service
        self._writes: set[asyncio.Task[Written]] = set()

    @property
    def state(self) -> str:
        """The state of the connection, in a word."""
        phase = self.live.state.phase
        return "connected" if phase == "ready" else phase

    @property
    def state_and_backend(self) -> str:
        """The state of the connection, with the backend."""
        phase, lost = self.live.state.phase, self.live.disconnected
        title = _title(lost) if phase == "disconnected" and None not in lost else ""
        return _STATES[phase].format(title or self.title)

    @property
    def problem(self) -> str | None:
        """Why the events may be out of date."""
        error = self.live.state.error
        if error is None:
            return None
        return f"{error.kind}: {one_line(error.message, MAX_TEXT_LENGTH)}"

    async def read(self, event: Event) -> Event | None:
        """Return an event with its prompt; None if it is gone, or cannot be read."""
        try:
            return await resolve(self._service.get(event.target))
        except SidecarError:
            return None

    def signal(self, event: Event, payload: Payload) -> asyncio.Task[Written]:
        """Answer an event."""
        return self._start(event, writes.signal(self._service, event, payload))

    def abort(self, event: Event, reason: str | None) -> asyncio.Task[Written]:
        """Abort an event."""
        return self._start(event, writes.abort(self._service, event, reason))

    def retry(self) -> None:
        """Connect again now, and ask for a login again if one is necessary."""
        self.logins.asked_again += 1
        self.live.restart()

    @property
    def unfinished(self) -> bool:
        """Whether the result of a write is not known yet."""
        return bool(self._writes)

    async def finish(self) -> list[str]:
        """Wait for the results of unfinished writes, for some seconds; return them.

        Ctrl-C ends the wait.
        """
        tasks = [*self._writes]

        def cancel() -> None:
            for task in tasks:
                task.cancel()

        cancel()
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, cancel)
        await wait_all(tasks)
        return [task.result().text for task in tasks if not task.cancelled()]

    def _start(self, event: Event, work: Awaitable[Event]) -> asyncio.Task[Written]:
        task = asyncio.ensure_future(self._write(event, work))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _write(self, event: Event, work: Awaitable[Event]) -> Written:
        try:
            ended = await work
        except SidecarError as error:
            return Written(error.message, error.data.get("event"))
        except asyncio.CancelledError:
            return Written(f"No result arrived for {title(event)}.")
        return Written(outcome(ended), ended)


def _title(names: Collection[str | None]) -> str:
    return " and ".join(title for name, title in BACKEND_TITLES.items() if name in names)


_STATES: dict[Phase, str] = {
    "connecting": "connecting to {}",
    "ready": "connected to {}",
    "disconnected": "disconnected from {}, reconnecting",
    "failed": "not connected to {}",
}


@asynccontextmanager
async def open_session(options: Options, view: View) -> AsyncIterator[Session]:
    """Open the backend, and report its events to the view, for the time of the block.

    Raises
    ------
    UsageError
        If an option must select a scope.
    """
    logins = Logins(view.on_state)
    async with opened(options, lambda: logins) as service:
        require_scope(service.backend)
        session = Session(service, view, logins)
        session.live.start()
        try:
            yield session
        finally:
            await session.live.close()
