"""Flyte's SDK from the package registry, in an environment of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, run, skip_or_fail, worker_lock

NO_VERSION_CHECK = "--disable-pip-version-check"


def pip(*arguments: str, python: str | Path = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run pip for the environment of a Python, which itself may lack pip."""
    command = (sys.executable, "-m", "pip", "--python", python, *arguments, NO_VERSION_CHECK)
    return run(*command, env=dict(os.environ), timeout=300)


def environment_with(folder: Path, *requirements: str) -> Path:
    """Create an environment with packages, and return its Python."""
    create = (sys.executable, "-m", "venv", "--without-pip", folder)
    subprocess.run(create, check=True)
    python = folder / "bin" / "python"
    # Most modules are never imported, so that compiling all of them is not worth the time.
    done = pip("install", "--quiet", "--no-compile", *requirements, python=python)
    assert done.returncode == 0, done.stderr
    return python


@functools.cache
def flyte_version(requirement: str) -> str:
    """Return the version of the SDK that the registry offers."""
    found = pip(
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


def sdk_and_sidecar(requirement: str, factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment with the SDK and this project, which all tests share."""
    version = flyte_version(requirement)
    project = wheel(factory)
    with worker_lock(f"flyte-{version}", factory) as shared:
        environment = shared / f"flyte-{version}"
        if not (environment / "complete").exists():
            packages = (f"flyte=={version}", "textual>=0.80", "keyrings.alt", str(project))
            environment_with(environment, *packages)
            (environment / "complete").touch()
    return environment / "bin" / "python"


def wheel(factory: pytest.TempPathFactory) -> Path:
    """Return the path of this project's wheel, which is built once for all tests."""
    with worker_lock("wheel", factory) as shared:
        folder = shared / "wheel"
        if not folder.exists():
            options = ("--quiet", "--no-deps", "--no-build-isolation")
            built = pip("wheel", *options, "--wheel-dir", str(folder), str(ROOT))
            assert built.returncode == 0, built.stderr
        (found,) = folder.glob("flyte_sidecar-*.whl")
        return found
