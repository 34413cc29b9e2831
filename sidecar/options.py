"""What the command line and the environment choose."""

from __future__ import annotations

import os
from typing import Literal

from msgspec import Struct

from sidecar.rpc.framing import MAX_MESSAGE_BYTES, Framing

APPLICATION = "flyte-sidecar"
STORE_VARIABLE = "FLYTE_SIDECAR_STORE"
BACKEND_VARIABLE = "FLYTE_SIDECAR_BACKEND"

BackendKind = Literal["local"]


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command, as docs and `--help` describe them."""

    backend: BackendKind = "local"
    store: str
    org: str | None = None
    project: str | None = None
    domain: str | None = None
    framing: Framing = "auto"
    max_message_bytes: int = MAX_MESSAGE_BYTES
    parent_pid: int | None = None
    log_level: str = "warning"
    log_file: str | None = None


def default_store() -> str:
    """Give the path of the embedded store where none is chosen.

    It is what `FLYTE_SIDECAR_STORE` says, else a file in the platform's folder for the
    state of a user's programs.
    """
    chosen = os.environ.get(STORE_VARIABLE)
    if chosen:
        return chosen
    from platformdirs import user_state_path

    return str(user_state_path(APPLICATION, appauthor=False) / "events.db")
