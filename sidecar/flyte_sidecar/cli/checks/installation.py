"""The installation that runs, and others that a shell or an editor may start instead."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from functools import partial

from flyte_sidecar._version import VERSION
from flyte_sidecar.cli.checks.finding import Finding, failed, ok, warning
from flyte_sidecar.cli.checks.run import in_thread
from flyte_sidecar.protocol import PROTOCOL_VERSION
from flyte_sidecar.server.settings import APPLICATION

COMMAND_VARIABLE = "FLYTE_SIDECAR"
"""The variable with the command that clients and editors start."""

VERSION_TIMEOUT = 5.0
"""Seconds for another installation to print its version."""

MAX_OTHERS = 5
"""Maximum number of other installations whose version is read."""


async def check_version() -> Sequence[Finding]:
    """Return the versions of this installation."""
    python = f"{platform.python_version()} ({sys.executable}), SQLite {sqlite3.sqlite_version}"
    return [
        ok(APPLICATION, f"{VERSION}, protocol {PROTOCOL_VERSION}"),
        ok("python", python),
    ]


async def check_commands() -> Sequence[Finding]:
    """Return which installation a shell and the clients start."""
    own = own_command()
    on_path = commands_on_path()
    variable = os.environ.get(COMMAND_VARIABLE)
    chosen = shutil.which(variable) if variable else None
    others = [path for path in (*on_path, chosen) if path and not _is_same(path, own)]
    others = [*dict.fromkeys(others)][:MAX_OTHERS]
    read = await asyncio.gather(*(in_thread(partial(version_of, path)) for path in others))
    versions = dict(zip(others, read, strict=True))
    findings = [_check_path(own, on_path, versions)]
    if variable:
        findings.append(_check_variable(own, variable, chosen, versions))
    return findings


def own_command() -> str:
    """Return the path of the command of this installation, whether or not it exists."""
    name = f"{APPLICATION}.exe" if sys.platform == "win32" else APPLICATION
    return os.path.join(sysconfig.get_path("scripts"), name)


def commands_on_path() -> list[str]:
    """Return the commands on the PATH, the one that a shell starts first."""
    folders = filter(os.path.isabs, os.get_exec_path())
    found = (shutil.which(APPLICATION, path=folder) for folder in folders)
    return [*dict.fromkeys(filter(None, found))]


def version_of(path: str) -> str:
    """Return the version that a command prints, or what is wrong with it."""
    try:
        done = subprocess.run(  # noqa: S603  a command that the user's shell would start
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "which does not respond"
    except OSError as error:
        return f"which does not start: {error.strerror}"
    words = done.stdout.decode("utf-8", "replace").split()
    if done.returncode == 0 and words[:1] == [APPLICATION] and len(words) == 2:
        return words[1]
    return "which does not print its version"


def _check_path(own: str, on_path: Sequence[str], versions: dict[str, str]) -> Finding:
    use_own = f"set {COMMAND_VARIABLE}={own} where clients and editors start"
    if not on_path:
        folder = os.path.dirname(own)
        return warning(
            "command",
            f"{APPLICATION} is not on the PATH, so that editors and scripts do not find it",
            f"add {folder} to the PATH, or {use_own}",
        )
    first = on_path[0]
    if first in versions and versions[first] != VERSION:
        return warning(
            "command",
            f"a shell starts {first} ({versions[first]}), and not this installation, {own}",
            f"remove or upgrade the other one, or {use_own}",
        )
    differing = [
        f"{path} ({versions[path]})"
        for path in on_path
        if path in versions and versions[path] != VERSION
    ]
    if differing:
        return warning(
            "command",
            f"{first}; also on the PATH: {', '.join(differing)}",
            "an editor or another shell may start another one: remove or upgrade it",
        )
    return ok("command", first)


def _check_variable(
    own: str, variable: str, chosen: str | None, versions: dict[str, str]
) -> Finding:
    remedy = f"set {COMMAND_VARIABLE} to {own}, or unset it"
    if chosen is None:
        detail = f"{variable} is not an executable file, but clients and editors start it"
        return failed(COMMAND_VARIABLE, detail, remedy)
    version = versions.get(chosen, VERSION)
    if version != VERSION:
        detail = f"clients and editors start {chosen} ({version}), and not this installation"
        return warning(COMMAND_VARIABLE, detail, remedy)
    return ok(COMMAND_VARIABLE, f"clients and editors start {chosen}")


def _is_same(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)
