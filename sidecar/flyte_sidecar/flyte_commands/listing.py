"""`flyte pending`: list the events that wait for an answer."""

from __future__ import annotations

import asyncio

import rich_click as click

from flyte_sidecar.cli.pending import print_pending
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.flyte_commands.backends import Selected, failure


def list_pending(selected: Selected, as_json: bool) -> None:
    """Print the pending events of the backends that can be read.

    Raises
    ------
    click.ClickException
        If no backend can be read.
    """
    try:
        asyncio.run(print_pending(selected.options, as_json))
    except SidecarError as error:
        raise failure("The events cannot be listed", error, selected.problem) from None
    if selected.problem is not None:
        click.echo(selected.problem, err=True)
