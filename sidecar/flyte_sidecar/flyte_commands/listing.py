"""`flyte pending`: list the events that wait for an answer."""

from __future__ import annotations

import asyncio

import rich_click as click

from flyte_sidecar.cli.opened import opened
from flyte_sidecar.cli.verbs.pending import print_pending
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import BackendName
from flyte_sidecar.flyte_commands.backends import Selected, failure, message_of
from flyte_sidecar.server.settings import Options


def list_pending(selected: Selected, as_json: bool) -> None:
    """Print the pending events of the backends that can be read.

    Raises
    ------
    click.ClickException
        If no backend can be read.
    """
    try:
        missing: list[BackendName] = ["flyte"] if selected.problems else []
        asyncio.run(_print(selected.options, as_json, missing))
    except SidecarError as error:
        message = f"The events cannot be listed: {message_of(error)}"
        raise failure(message, selected.problems) from None
    for problem in selected.problems:
        click.echo(problem, err=True)


async def _print(options: Options, as_json: bool, missing: list[BackendName]) -> None:
    async with opened(options) as service:
        await print_pending(service, as_json, missing)
