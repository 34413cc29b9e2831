"""Runs what a verb does with the events of the backend."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from flyte_sidecar.cli import logs, standard_streams
from flyte_sidecar.cli.answering.event_name import candidate_lines
from flyte_sidecar.cli.arguments.values import scope_error
from flyte_sidecar.cli.opened import opened
from flyte_sidecar.errors import AmbiguousEvent, InvalidParams
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


def run_on_events(options: Options, work: Callable[[EventService], Awaitable[int]]) -> int:
    """Call `work` with the events of the backend, and return the exit status.

    Raises
    ------
    UsageError
        If `work` does, or if an option must select a scope.
    SidecarError, OSError
        What `work` raises. The events of an `AmbiguousEvent` are printed here.
    """
    logs.set_up(options.log_level, options.log_file)
    standard_streams.require_stdout()
    try:
        return asyncio.run(_run(options, work))
    except AmbiguousEvent as error:
        lines = [f"{error.kind}: {sanitize(error.message)}"]
        lines += candidate_lines(error.data["candidates"])
        print("\n".join(lines), file=sys.stderr)
        return 1
    except InvalidParams as error:
        raise scope_error(error.message, error.data.get("path")) or error from None


async def _run(options: Options, work: Callable[[EventService], Awaitable[int]]) -> int:
    async with opened(options) as service:
        return await work(service)
