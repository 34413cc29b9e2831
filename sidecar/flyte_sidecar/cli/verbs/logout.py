"""`flyte-sidecar logout`: delete the stored login at a Flyte deployment."""

from __future__ import annotations

import asyncio
import sys

from flyte_sidecar.backends.flyte import FlyteBackend
from flyte_sidecar.cli import logs
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.server.settings import Options, make_flyte_backend

LOCK_TIMEOUT = 10.0
"""Seconds to wait for a sidecar that is about to store a renewed login."""


def run(options: Options) -> int:
    """Delete the login in every form and place; return 1 if a place could not be searched.

    Sends nothing. Other processes that run keep the login in their memory.
    """
    logs.set_up(options.log_level, options.log_file)
    backend = make_flyte_backend(options)
    return asyncio.run(_delete(backend))


async def _delete(backend: FlyteBackend) -> int:
    address, store = backend.deployment.address, backend.login_store
    if backend.deployment.credentials.disable_keyring:
        print(f"No stored login at {address} is used: {store.failure}.")
        return 0
    async with store.lock("refresh", LOCK_TIMEOUT):
        deleted = await store.delete()
    for name in deleted:
        print(sanitize(f"Deleted the login at {address} from {name}."))
    if store.failure is not None:
        message = f"flyte-sidecar: a login at {address} may still be stored: {store.failure}"
        print(sanitize(message), file=sys.stderr)
        return 1
    if not deleted:
        print(f"No login at {address} was stored.")
    return 0
