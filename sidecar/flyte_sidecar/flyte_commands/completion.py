"""Completion of arguments in a shell: the runs and the names of the pending local events."""

from __future__ import annotations

import asyncio

import rich_click as click

from flyte_sidecar.cli.opened import opened
from flyte_sidecar.cli.verbs.pending import pages
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import Event
from flyte_sidecar.server.settings import Options, store_path


def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the values of RUN, or of NAME in the run, that begin with the text.

    A deployment is not asked: a shell completes while its user waits.
    """
    try:
        events = asyncio.run(_pending())
    except (SidecarError, OSError, RuntimeError, ValueError):
        return []
    if parameter.name == "run":
        values = {event.run_name for event in events}
    else:
        values = {event.name for event in events if event.run_name == context.params.get("run")}
    return sorted(value for value in values if value.startswith(incomplete) and value.isprintable())


async def _pending() -> list[Event]:
    async with opened(Options(store=store_path(None))) as service:
        return [event async for page in pages(service) for event in page.events]
