"""The backend that the Python API uses, as `init` chose it."""

from __future__ import annotations

import os
from typing import get_args

from flyte_sidecar._sync import SharedResource, run_sync
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import (
    BackendKind,
    Options,
    expand_user,
    make_backend,
    store_path,
)


def init(
    *,
    backend: BackendKind = "local",
    store: str | os.PathLike[str] | None = None,
    endpoint: str | None = None,
    insecure: bool = False,
    ca_cert_file: str | os.PathLike[str] | None = None,
    insecure_skip_verify: bool = False,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> None:
    """Choose where events are kept; the embedded store at its default path if never called.

    Called again, it switches: calls under way end first, waits end with `ShuttingDown`.

    Parameters
    ----------
    backend
        ``local``, the embedded store, or ``flyte``, a deployment.
    store
        The embedded store's file. By default what ``FLYTE_SIDECAR_STORE`` says, else a file
        in the platform's folder for the state of a user's programs.
    endpoint
        The Flyte deployment: ``host[:port]``, by default port 443, or 80 where insecure.
    insecure
        Speak plaintext to it. Else TLS, trusting what the system trusts,
    ca_cert_file
        or what is in this PEM file,
    insecure_skip_verify
        or whatever the server shows.
    org, project, domain
        Where runs are looked for, unless the event itself says so. Flyte needs the last two.

    Raises
    ------
    ValueError
        If there is no such backend, no such endpoint can be, or the store is no path.
    """
    if backend not in get_args(BackendKind):
        raise ValueError(f"backend must be 'local' or 'flyte', not {backend!r}")
    options = Options(
        backend=backend,
        store="" if backend == "flyte" else store_path(store),
        endpoint=endpoint,
        insecure=insecure,
        ca_cert_file=None if ca_cert_file is None else _path(ca_cert_file),
        insecure_skip_verify=insecure_skip_verify,
        org=org,
        project=project,
        domain=domain,
    )
    make_backend(options)  # what cannot be used is told here, not at the first call
    run_sync(service.replace(lambda: EventService(make_backend(options))))


def _path(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(expand_user(os.fspath(path)))


def _make_default() -> EventService:
    return EventService(make_backend(Options(store=store_path(None))))


async def _close(its: EventService) -> None:
    await its.backend.close()


service = SharedResource(_make_default, _close)
"""The event core over the backend in use."""
