"""`flyte-sidecar reject`: answer an event with no, or all that match."""

from __future__ import annotations

from typing import Any

from flyte_sidecar.cli.verbs.approve import add_arguments, run_bool
from flyte_sidecar.server.settings import Options

__all__ = ["add_arguments", "run"]


def run(
    options: Options,
    run_name: str | None,
    name: str | None,
    action: str | None,
    as_json: bool,
    **choice: Any,
) -> int:
    """Reject events, print their outcome, and return the exit status; raises as `run_bool`."""
    return run_bool(options, run_name, name, action, as_json, payload=False, **choice)
