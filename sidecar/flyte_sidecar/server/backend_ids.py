"""What identifies a backend among those of all processes of a user."""

from __future__ import annotations

import os

from flyte_sidecar.server.settings import Options


def backend_id(options: Options, endpoint: str | None, kind: str | None = None) -> str:
    """Return the id of the backend of the options, or of the one of several of some kind.

    Parameters
    ----------
    endpoint
        The endpoint of the backend.
    kind
        `local`, `flyte` or `all` (default: that of the options).
    """
    kind = kind or options.backend
    store = os.path.realpath(options.store)
    if kind == "local":
        return f"local:{store}"
    return f"flyte:{endpoint}" if kind == "flyte" else f"all:{endpoint} and {store}"
