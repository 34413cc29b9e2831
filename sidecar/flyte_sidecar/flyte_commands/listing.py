"""`flyte pending`: list the events that wait for an answer."""

from __future__ import annotations

import asyncio

import rich_click as click

from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.cli.pending import pages, print_json, print_table
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.flyte_commands.backends import Selected, opened, unavailable


def list_pending(selected: Selected, as_json: bool) -> int:
    """Print the pending events; return 0 if at least one backend could list its events, else 1."""
    return asyncio.run(_list(selected, as_json))


async def _list(selected: Selected, as_json: bool) -> int:
    table, failures = EventTable(), []
    for options in selected.options:
        async with opened(options) as service:
            try:
                async for page in pages(service):
                    if as_json:
                        print_json(page.events)
                    else:
                        table.add(page.events)
            except SidecarError as error:
                failures.append(unavailable(service, error))
    listed = len(failures) < len(selected.options)
    if listed and not as_json:
        print_table(table)
    for line in (*failures, *selected.problems):
        click.echo(line, err=True)
    return 0 if listed else 1
