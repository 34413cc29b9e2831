"""Shows that the language server waits for its backend, or for a login."""

from __future__ import annotations

import asyncio

from flyte_sidecar.errors import SidecarError, Unauthenticated
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.lsp.client import SessionState
from flyte_sidecar.lsp.configuration import Logins
from flyte_sidecar.lsp.texts import error_text

DELAY = 0.5
"""Seconds before progress is shown: most waits end sooner."""

OUTAGE_DELAY = 10.0
"""Seconds for which a backend is unreachable before that is shown as an error."""


class Progress:
    """Progress of one wait at a time."""

    def __init__(self, session: SessionState, delay: float = DELAY) -> None:
        self._session = session
        self._delay = delay
        self._message = ""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._background = BackgroundTasks()

    def begin(self, title: str) -> None:
        """Show progress once the wait takes long, instead of that of another wait."""
        self.end()
        self._task = self._background.start(self._show(title))

    def report(self, message: str) -> None:
        """Show what the wait is for, below the title."""
        self._message = message
        self._changed.set()

    def end(self) -> None:
        """End the progress; idempotent."""
        if self._task is not None:
            self._task.cancel()
            self._message = ""
            self._changed.clear()

    async def close(self) -> None:
        """End the progress, and wait until it has ended."""
        await self._background.close()

    async def _show(self, title: str) -> None:
        client = self._session.client
        await asyncio.sleep(self._delay)
        token = await client.begin_progress(title)
        if token is None:
            return
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                client.report_progress(token, self._message)
        finally:
            client.end_progress(token)


class BackendProgress:
    """Shows the state of one backend: progress while it connects, and why it cannot.

    Each kind of failure is shown once until the backend was ready again, not at every retry. A
    login that has failed, or that the person has cancelled, was shown already.
    """

    def __init__(
        self,
        session: SessionState,
        progress: Progress,
        logins: Logins,
        outage_delay: float = OUTAGE_DELAY,
    ) -> None:
        self._session = session
        self._progress = progress
        self._logins = logins
        self._outage_delay = outage_delay
        self._waits = False
        self._shown: set[str] = set()
        self._outage: asyncio.TimerHandle | None = None

    def on_state(self, state: BackendState) -> None:
        """Show a new state of the backend, and the error that has led to it."""
        phase, error = state.phase, state.error
        if self._outage is not None:
            self._outage.cancel()
        if phase in ("ready", "failed"):
            self._waits = False
            self._progress.end()
        elif not self._waits:
            self._waits = True
            verb = "Connecting" if phase == "connecting" else "Reconnecting"
            self._progress.begin(f"{verb} to {self._backend}")
        if phase == "ready":
            self._shown.clear()
        elif error is not None and phase == "failed":
            self._show(error)
        elif error is not None:
            self._progress.report(error_text(error))
            loop = asyncio.get_running_loop()
            self._outage = loop.call_later(self._outage_delay, self._show, error)

    def close(self) -> None:
        """Show nothing more."""
        if self._outage is not None:
            self._outage.cancel()
        self._progress.end()

    @property
    def _backend(self) -> str:
        endpoint = self._session.service.backend.endpoint
        return "the embedded store" if endpoint is None else one_line(endpoint)

    def _show(self, error: SidecarError) -> None:
        is_shown = isinstance(error, Unauthenticated) and self._logins.has_failed
        if not is_shown and error.kind not in self._shown:
            self._shown.add(error.kind)
            message = error_text(error)
            self._session.client.show(f"Events are not up to date: {message}", "error")
