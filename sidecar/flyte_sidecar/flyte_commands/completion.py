"""Completion of arguments in a shell: the runs and the names of the pending local events."""

from __future__ import annotations

import rich_click as click

from flyte_sidecar.cli.completion.values import completable, events, run_names
from flyte_sidecar.server.settings import Options, store_path


def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the values of RUN, or of NAME in the run, that begin with the text."""
    try:
        options = Options(store=store_path(None))
    except (OSError, RuntimeError, ValueError):
        return []
    if parameter.name == "run":
        return completable(run_names(options), incomplete)
    run: str = context.params["run"]
    return completable((event.name for event in events(options, run)), incomplete)
