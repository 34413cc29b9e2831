"""The events of the backend that the options select."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flyte_sidecar.cli.terminal_login_prompt import TerminalLoginPrompt
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options, make_backend


@asynccontextmanager
async def opened(options: Options) -> AsyncIterator[EventService]:
    """Open the backend for the time of the block; logins are shown on stderr."""
    backend = make_backend(options, TerminalLoginPrompt)
    try:
        yield EventService(backend)
    finally:
        await backend.close()
