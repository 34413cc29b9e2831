"""Whether conditions of local runs of Flyte's SDK become events of the embedded store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata

from flyte_sidecar.cli.checks.finding import Finding, failed, ok, skipped, warning
from flyte_sidecar.cli.checks.run import in_thread
from flyte_sidecar.local_runs.hook import OFF, VARIABLE
from flyte_sidecar.server.settings import APPLICATION

NAME = "local runs"
GROUP, ENTRY_POINT = "flyte.plugins.types", "flyte_sidecar"
"""Where the SDK looks for what it loads."""

IMPORT_TIMEOUT = 60.0
"""Seconds for importing the SDK."""

_HOOK = """
from importlib import import_module
from flyte_sidecar.local_runs import hook, replaced_methods
try:
    replaced_methods.serve_conditions(import_module(hook.CONTROLLER_MODULE))
except Exception as error:
    raise SystemExit(f"{type(error).__name__}: {error}")
"""
"""Does what the hook does in the process of a local run; exits with the reason if it fails."""


async def check_local_runs() -> Sequence[Finding]:
    """Return whether the hook works with the SDK that is installed in this environment."""
    try:
        version = metadata.version("flyte")
    except metadata.PackageNotFoundError:
        detail = f"Flyte's SDK is not installed in this environment ({sys.prefix})"
        advice = f"to answer local runs, install {APPLICATION} also where the SDK is installed"
        return [skipped(NAME, detail, advice)]
    sdk = f"Flyte's SDK {version}"
    if (value := os.environ.get(VARIABLE, "")).lower() in OFF:
        return [warning(NAME, f"{sdk}; {VARIABLE}={value} turns it off", f"unset {VARIABLE}")]
    if not metadata.entry_points(group=GROUP, name=ENTRY_POINT):
        advice = f"pip install --force-reinstall --no-deps {APPLICATION}"
        return [failed(NAME, f"{sdk} does not find {APPLICATION}: no entry point", advice)]
    problem = await in_thread(_try_hook, 2 * IMPORT_TIMEOUT)
    if problem is not None:
        advice = f"upgrade both: pip install --upgrade flyte {APPLICATION}"
        return [failed(NAME, f"{sdk} is not served: {problem}", advice)]
    return [ok(NAME, f"{sdk}: its conditions are events of the embedded store")]


def _try_hook() -> str | None:
    """Return why the hook does not work; None if it does."""
    try:
        done = subprocess.run(  # noqa: S603  this Python, with code of our own
            [sys.executable, "-P", "-c", _HOOK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=IMPORT_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"importing it takes more than {IMPORT_TIMEOUT:g} s"
    except OSError as error:
        return f"Python does not start: {error.strerror}"
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    return None if done.returncode == 0 else (lines or ["no reason given"])[-1]
