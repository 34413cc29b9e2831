"""Whether the live events of a backend are up to date."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from flyte_sidecar.errors import SidecarError

Phase: TypeAlias = Literal["connecting", "ready", "disconnected", "failed"]


class BackendState(Struct, frozen=True):
    """Whether the events are up to date.

    Attributes
    ----------
    phase
        "connecting" until all current events are known; "ready" while they are up to date;
        "disconnected" while the backend is unreachable, until reconnecting succeeds; "failed"
        after an error that retrying does not resolve, until `LiveEvents.restart`, or until somebody
        has logged in elsewhere.
    error
        Why it is "disconnected" or "failed".
    """

    phase: Phase
    error: SidecarError | None = None
