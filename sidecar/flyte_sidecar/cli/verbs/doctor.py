"""`flyte-sidecar doctor`: check configuration and connectivity."""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3

from flyte_sidecar._futures import resolve
from flyte_sidecar._version import VERSION
from flyte_sidecar.backends.flyte import FlyteBackend
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.local.mutations import user_name
from flyte_sidecar.backends.local.open_file import check_location
from flyte_sidecar.cli.logins import describe_login
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import Run, Target
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.protocol import PROTOCOL_VERSION
from flyte_sidecar.server.settings import Options, flyte_config, make_backend, make_flyte_backend


def run(options: Options) -> int:
    """Print the configuration and whether it works; return 0 if it does, else 1.

    An existing store is opened as for serving. A missing one is not created. With the backend
    `all`, it is also checked if the config of the deployment is invalid.
    """
    _row("flyte-sidecar", f"{VERSION}, protocol {PROTOCOL_VERSION}")
    _row("python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    _row("backend", options.backend)
    if options.backend == "local":
        works = True
        _print_scope(make_backend(options))
    else:
        works = _check_flyte(options)
    if options.backend != "flyte":
        _row("user", user_name() or "unknown")
        works = _check_store(options.store) and works
    print("All checks passed." if works else "A check failed.")
    return 0 if works else 1


def _check_flyte(options: Options) -> bool:
    try:
        _print_config(options)
    except ValueError as error:
        _row("deployment", f"FAILED: {error}")
        return False
    backend = make_flyte_backend(options)
    _print_scope(backend)
    return asyncio.run(_check_deployment(backend))


def _print_scope(backend: EventBackend) -> None:
    scope = (backend.org or "none", backend.project or "none", backend.domain or "none")
    _row("scope", "org {}, project {}, domain {}".format(*scope))


def _print_config(options: Options) -> None:
    """Print each value of the Flyte config with its source; secrets are masked."""
    config = flyte_config(options)
    _row("config file", config.deployment.config_file or "none")
    for reason in config.skipped:
        _row("not used", reason)
    for setting in config.settings:
        _row("setting", f"{setting.name}: {setting.text} ({setting.source})")


async def _check_deployment(backend: FlyteBackend) -> bool:
    deployment = backend.deployment
    if deployment.insecure:
        security = "plaintext"
    elif deployment.ca_cert_file is not None:
        security = f"TLS with the CA certificates in {deployment.ca_cert_file}"
    elif deployment.insecure_skip_verify:
        security = "TLS without verification"
    else:
        security = "TLS with the CA certificates of the system"
    scope_error = protocol = None
    try:
        await backend.check()
        works, endpoint = True, f"{backend.endpoint}, {security} (ok)"
        scope_error = await backend.scope_error()
        protocol = backend.protocol
    except SidecarError as error:
        # The message begins with the address.
        works, endpoint = False, f"FAILED ({security}): {error.message}"
    finally:
        await backend.close()
    _row("endpoint", endpoint)
    if protocol is not None:
        _row("transport", protocol)
    _row("login", await describe_login(backend))
    if (proxy := deployment.proxy) is not None:
        _row("proxy", f"{proxy.address} (from {proxy.variable})")
    if scope_error is not None:
        _row("scope", f"FAILED: {scope_error}")
    if works and not (backend.project and backend.domain):
        _row("note", "there is no default project or domain: every request must contain both")
    return works and scope_error is None


def _check_store(path: str) -> bool:
    works, result = _try_store(path)
    _row("store", f"{path} ({result})")
    return works


def _try_store(path: str) -> tuple[bool, str]:
    """Return whether the store can be used, and a message."""
    try:
        if os.path.exists(path):
            asyncio.run(_open_store(path))
            return True, "ok"
        check_location(path)
    except SidecarError as error:
        return False, f"FAILED: {error.message}"
    folder = os.path.dirname(path)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if os.path.isdir(folder) and os.access(folder, os.W_OK):
        return True, "ok, will be created on first use"
    return False, f"FAILED: cannot be created, because {folder} is not a writable folder"


async def _open_store(path: str) -> None:
    backend = LocalBackend(path)
    try:
        await resolve(backend.find(Target(Run(None, "", "", ""), action_name="")))
    finally:
        await backend.close()


def _row(label: str, value: str) -> None:
    print(f"{label:<15}{sanitize(value)}")
