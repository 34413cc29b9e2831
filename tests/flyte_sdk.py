"""Flyte's SDK from the package registry, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import run, skip_or_fail

NO_VERSION_CHECK = "--disable-pip-version-check"


def pip(python: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(python, "-m", "pip", *arguments, NO_VERSION_CHECK, env=dict(os.environ), timeout=300)


def flyte_version(requirement: str) -> str:
    """Return the version of the SDK that the registry offers."""
    found = pip(
        sys.executable,
        "install",
        "--quiet",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
        "--report",
        "-",
        requirement,
    )
    if found.returncode != 0:
        skip_or_fail("no package registry can be reached")
    version: str = json.loads(found.stdout)["install"][0]["metadata"]["version"]
    return version
