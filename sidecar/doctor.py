"""Telling what would be used, and whether it works: `flyte-sidecar doctor`."""

from __future__ import annotations

import asyncio
import getpass
import os
import platform
import sqlite3

from sidecar.backends.local import LocalBackend
from sidecar.errors import SidecarError
from sidecar.events.model import Run, Target
from sidecar.events.service import arrived
from sidecar.options import Options
from sidecar.protocol import PROTOCOL_VERSION
from sidecar.version import VERSION


def doctor(options: Options) -> int:
    """Print what would be used; gives 0 if all of it works, else 1.

    A store that does not exist is not made; one that does is opened as for serving.
    """
    _row("flyte-sidecar", f"{VERSION}, protocol {PROTOCOL_VERSION}")
    _row("python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    _row("backend", options.backend)
    scope = (options.org or "none", options.project or "local", options.domain or "local")
    _row("scope", "org {}, project {}, domain {}".format(*scope))
    _row("identity", _user())
    works, words = _store(os.path.abspath(os.path.expanduser(options.store)))
    _row("store", words)
    print("everything works" if works else "the store does not work: see above")
    return 0 if works else 1


def _store(path: str) -> tuple[bool, str]:
    if not os.path.exists(path):
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
        await arrived(backend.find(Target(Run(None, "", "", ""), action_name="")))
    finally:
        await backend.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _row(label: str, words: str) -> None:
    print(f"{label:<15}{words}")
