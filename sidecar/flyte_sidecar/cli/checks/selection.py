"""The backend that is used, and by what it is selected."""

from __future__ import annotations

import os
from collections.abc import Sequence

from flyte_sidecar.cli.checks.finding import Finding, ok, warning
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.server.settings import BACKEND_VARIABLE, Options, flyte_config

DEFAULT = "local"


def describe_scope(backend: EventBackend) -> str:
    """Return the scope of requests that do not contain one."""
    org, project, domain = (
        part or "none" for part in (backend.org, backend.project, backend.domain)
    )
    return f"org {org}, project {project}, domain {domain}"


async def check_selection(options: Options) -> Sequence[Finding]:
    """Return which backend is used; a config of a deployment that is not used is a warning."""
    backend, variable = options.backend, os.environ.get(BACKEND_VARIABLE)
    if variable == backend:
        return [ok("backend", f"{backend} (selected by {BACKEND_VARIABLE})")]
    if variable:
        return [ok("backend", f"{backend} (option --backend; {BACKEND_VARIABLE} is {variable})")]
    if backend != DEFAULT:
        return [ok("backend", f"{backend} (option --backend)")]
    detail = f"{backend}, which is the default: only events on this machine are shown"
    try:
        address = flyte_config(options).deployment.address
    except ValueError:  # none, or it cannot be used: that does not matter here
        return [ok("backend", detail)]
    advice = (
        f"use --backend flyte to see the events of {address}, for which Flyte is configured,"
        f" or --backend all for both (for every command: {BACKEND_VARIABLE}=all)"
    )
    return [warning("backend", detail, advice)]
