"""The events of the backend that the options select."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.terminal_login_prompt import TerminalLoginPrompt
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options, make_backend

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import LoginPrompt


@asynccontextmanager
async def opened(
    options: Options, prompt: Callable[[], LoginPrompt] = TerminalLoginPrompt
) -> AsyncIterator[EventService]:
    """Open the backend for the time of the block; logins are shown on stderr by default."""
    backend = make_backend(options, prompt)
    try:
        yield EventService(backend)
    finally:
        await backend.close()


def require_scope(backend: EventBackend) -> None:
    """Raise `UsageError` if the events of a deployment cannot be followed for lack of a scope."""
    if backend.kind == "flyte":
        for option in ("project", "domain"):
            if not getattr(backend, option):
                raise UsageError(f"--{option} is required: the connection has no default")
