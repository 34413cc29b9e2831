"""`flyte-sidecar login`: log in at a Flyte deployment."""

from __future__ import annotations

import asyncio
import sys

from flyte_sidecar.backends.flyte import FlyteBackend
from flyte_sidecar.cli import logs
from flyte_sidecar.cli.logins import is_personal
from flyte_sidecar.cli.terminal_login_prompt import TerminalLoginPrompt
from flyte_sidecar.errors import Unauthenticated
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.server.settings import Options, make_flyte_backend


def run(options: Options) -> int:
    """Log in if that is necessary; return 0 if other processes can use the login, else 1.

    Raises
    ------
    SidecarError
        If the login fails, or the deployment cannot be reached.
    """
    logs.set_up(options.log_level, options.log_file)
    backend = make_flyte_backend(options, TerminalLoginPrompt())
    return asyncio.run(_log_in(backend))


async def _log_in(backend: FlyteBackend) -> int:
    try:
        if is_personal(backend.deployment):
            return await _log_in_person(backend)
        await backend.check()
        print(sanitize(_without_person(backend)))
        return 0
    finally:
        await backend.close()


def _without_person(backend: FlyteBackend) -> str:
    deployment, credentials = backend.deployment, backend.deployment.credentials
    if deployment.insecure:
        return f"{deployment.address} needs no login, because the connection is insecure."
    kind = f"{credentials.auth_type} ({credentials.source})"
    return f"{deployment.address} accepts the credentials of {kind}, so that nobody has to log in."


async def _log_in_person(backend: FlyteBackend) -> int:
    address, store = backend.deployment.address, backend.login_store
    try:
        await backend.check()
        needed = False
    except Unauthenticated:
        needed = True
        await backend.login()
        await backend.check()
    stored = await store.read()
    if store.unsaved is not None or (stored is None and needed):
        reason = store.unsaved or store.failure or "it was deleted meanwhile"
        message = f"logged in at {address}, but other processes cannot use the login: {reason}"
        print(sanitize(f"flyte-sidecar: {message}"), file=sys.stderr)
        return 1
    if stored is None:
        print(f"{address} needs no login.")
    else:
        already = "" if needed else "already "
        print(sanitize(f"You are {already}logged in at {address}: stored in {stored.place.name}."))
    return 0
