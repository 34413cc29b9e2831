"""`flyte-sidecar reject`: answer an event with no."""

from __future__ import annotations

from flyte_sidecar.cli.verbs.approve import add_arguments, run_bool
from flyte_sidecar.server.settings import Options

__all__ = ["add_arguments", "run"]


def run(
    options: Options, run_name: str, name: str | None, action: str | None, as_json: bool
) -> int:
    """Reject an event, print its outcome, and return the exit status; raises as `signal`."""
    return run_bool(options, run_name, name, action, as_json, payload=False)
