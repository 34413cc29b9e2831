"""Telling what would be used, and whether it works: `flyte-sidecar doctor`."""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3

from flyte_sidecar._futures import resolve
from flyte_sidecar._version import VERSION
from flyte_sidecar.backends.flyte import FlyteBackend
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.local.file import check_place
from flyte_sidecar.backends.local.mutations import user_name
from flyte_sidecar.cli.terminal import sanitize
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import Run, Target
from flyte_sidecar.protocol import PROTOCOL_VERSION
from flyte_sidecar.server.settings import Options, make_backend


def doctor(options: Options) -> int:
    """Print what would be used; gives 0 if all of it works, else 1.

    A store that does not exist is not made; one that does is opened as for serving.
    """
    _row("flyte-sidecar", f"{VERSION}, protocol {PROTOCOL_VERSION}")
    _row("python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    _row("backend", options.backend)
    backend = make_backend(options)
    scope = (backend.org or "none", backend.project or "none", backend.domain or "none")
    _row("scope", "org {}, project {}, domain {}".format(*scope))
    _row("identity", _identity(backend))
    if isinstance(backend, FlyteBackend):
        works, what = asyncio.run(_ask(backend, options)), "deployment"
    else:
        works, what = _store(options.store), "store"
    print("everything works" if works else f"the {what} does not work: see above")
    return 0 if works else 1


async def _ask(backend: FlyteBackend, options: Options) -> bool:
    """Tell of the deployment."""
    if options.insecure:
        trust = "plaintext"
    elif options.ca_cert_file is not None:
        trust = f"TLS, trusting {options.ca_cert_file}"
    elif options.insecure_skip_verify:
        trust = "TLS, trusting whatever is shown"
    else:
        trust = "TLS, trusting what the system trusts"
    scope_error = None
    try:
        await backend.check()
        works, words = True, "ok"
        scope_error = await backend.scope_error()
    except SidecarError as error:
        works, words = False, f"FAILS: {error.message}"
    finally:
        await backend.close()
    _row("endpoint", f"{backend.endpoint}, {trust} ({words})")
    if backend.proxy is not None:
        _row("proxy", f"{backend.proxy.address} ({backend.proxy.variable})")
    if scope_error is not None:
        _row("scope", f"FAILS: {scope_error}")
    if works and not (backend.project and backend.domain):
        _row("note", "each request must name project and domain: the options do not")
    return works and scope_error is None


def _store(path: str) -> bool:
    """Tell of the store."""
    works, words = _look_at(path)
    _row("store", words)
    return works


def _look_at(path: str) -> tuple[bool, str]:
    if not os.path.exists(path):
        try:
            check_place(path)
        except SidecarError as error:
            return False, f"{path} (FAILS: {error.message})"
        folder = os.path.dirname(path)
        while not os.path.exists(folder):
            folder = os.path.dirname(folder)
        if os.path.isdir(folder) and os.access(folder, os.W_OK):
            return True, f"{path} (ok: will be made when it is first used)"
        return False, f"{path} (FAILS: cannot be made, {folder} is not writable)"
    try:
        asyncio.run(_look_into(path))
    except SidecarError as error:
        return False, f"{path} (FAILS: {error.message})"
    return True, f"{path} (ok)"


async def _look_into(path: str) -> None:
    backend = LocalBackend(path)
    try:
        await resolve(backend.find(Target(Run(None, "", "", ""), action_name="")))
    finally:
        await backend.close()


def _identity(backend: EventBackend) -> str:
    if isinstance(backend, FlyteBackend):
        return "none: requests are sent without authentication"
    return user_name() or "unknown"


def _row(label: str, words: str) -> None:
    print(f"{label:<15}{sanitize(words)}")
