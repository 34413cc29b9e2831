"""The backend of the Python API, and `init`, which selects it."""

from __future__ import annotations

import os
from typing import get_args

from flyte_sidecar._sync import SharedResource, run_sync
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import (
    BackendKind,
    Options,
    Transport,
    expand_user,
    make_backend,
    store_path,
)


def init(
    *,
    backend: BackendKind = "local",
    store: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    endpoint: str | None = None,
    insecure: bool | None = None,
    ca_cert_file: str | os.PathLike[str] | None = None,
    insecure_skip_verify: bool | None = None,
    transport: Transport | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> None:
    """Select the backend (default: the embedded store at its default path).

    A later call replaces the backend. Open calls finish first, and waits raise `ShuttingDown`.

    With the backends ``flyte`` and ``all``, arguments that are None are as configured for Flyte's
    SDK, in its environment variables and its config file.

    Parameters
    ----------
    backend
        ``local``, the embedded store, ``flyte``, a Flyte deployment, or ``all``, both.
    store
        SQLite file of the embedded store (environment: ``FLYTE_SIDECAR_STORE``; default:
        ``events.db`` in the user's state folder).
    config
        Config file of Flyte (default: the one that the SDK finds).
    endpoint
        The Flyte deployment: ``host[:port]`` (default port: 443, or 80 with `insecure`).
    insecure
        Use plaintext instead of TLS.
    ca_cert_file
        PEM file of trusted CA certificates (default: those of the system).
    insecure_skip_verify
        Accept any TLS certificate.
    transport
        How requests are sent: ``grpc``, ``connect``, or ``auto`` (default), which is gRPC, or
        Connect if an ingress passes only that.
    org, project, domain
        Default organization, project and domain. On Flyte, an event needs a project and a domain.

    Raises
    ------
    ValueError
        If the backend is unknown, the store's path is invalid, or the config of the deployment is
        invalid or has no endpoint.
    """
    if backend not in get_args(BackendKind):
        raise ValueError(f"backend must be 'local', 'flyte' or 'all', not {backend!r}")
    options = Options(
        backend=backend,
        store="" if backend == "flyte" else store_path(store),
        config=None if config is None else _path(config),
        endpoint=endpoint,
        insecure=insecure,
        ca_cert_file=None if ca_cert_file is None else _path(ca_cert_file),
        insecure_skip_verify=insecure_skip_verify,
        transport=transport,
        org=org,
        project=project,
        domain=domain,
    )
    make_backend(options)  # raises for invalid options here, and not in the first call
    run_sync(shared_service.replace(lambda: EventService(make_backend(options))))


def _path(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(expand_user(os.fspath(path)))


def _make_default() -> EventService:
    return EventService(make_backend(Options(store=store_path(None))))


async def _close(service: EventService) -> None:
    await service.backend.close()


shared_service = SharedResource(_make_default, _close)
"""The event core on the selected backend."""
