"""The backend that the Python API uses, as `init` chose it."""

from __future__ import annotations

import os

from sidecar.backends.local import LocalBackend
from sidecar.blocking import Shared, run
from sidecar.errors import UnsupportedByBackend
from sidecar.events.service import EventService
from sidecar.options import default_store


def init(
    *,
    backend: str = "local",
    store: str | os.PathLike[str] | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> None:
    """Choose where events are kept; the embedded store at its default path if never called.

    Called again, it switches: calls under way end first, waits end with `ShuttingDown`.

    Parameters
    ----------
    backend
        ``local``, the embedded store.
    store
        The embedded store's file. By default what ``FLYTE_SIDECAR_STORE`` says, else a file
        in the platform's folder for the state of a user's programs.
    org, project, domain
        Where runs are looked for, unless the event itself says so.

    Raises
    ------
    UnsupportedByBackend
        If this release cannot use the backend yet.
    ValueError
        If there is no such backend.
    """
    if backend == "flyte":
        raise UnsupportedByBackend("this release cannot use a Flyte deployment yet")
    if backend != "local":
        raise ValueError(f"backend must be 'local', not {backend!r}")
    path = None if store is None else os.path.abspath(os.path.expanduser(store))

    def make() -> EventService:
        local = LocalBackend(path or default_store())
        local.org = org or local.org
        local.project = project or local.project
        local.domain = domain or local.domain
        return EventService(local)

    run(service.change(make))


def _make_default() -> EventService:
    return EventService(LocalBackend(default_store()))


async def _close(its: EventService) -> None:
    await its.backend.close()


service = Shared(_make_default, _close)
"""The event core over the backend in use."""
