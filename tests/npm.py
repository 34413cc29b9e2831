"""npm packages of this repository, each installed or built once for all workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import ROOT, needs, run, worker_lock

BUILD_SECONDS = 600


def install(folder: Path, factory: pytest.TempPathFactory, *options: str) -> Path:
    """Install the dependencies of a package if they are missing, and return their folder."""
    modules = folder / "node_modules"
    with worker_lock(_lock(folder), factory):
        if not (modules / ".package-lock.json").exists():  # npm writes it at the end
            _npm(folder, "ci", "--silent", "--ignore-scripts", *options)
    return modules


def build(folder: Path, script: str, test_run: str, factory: pytest.TempPathFactory) -> None:
    """Install a package and run the script that builds it, once per test run."""
    with worker_lock(_lock(folder), factory) as shared:
        built = shared / f"{_lock(folder)}-{test_run}"
        if not built.exists():
            _npm(folder, "ci", "--ignore-scripts")
            _npm(folder, "run", script)
            built.touch()


def _lock(folder: Path) -> str:
    return "-".join(("npm", *folder.relative_to(ROOT).parts))


def _npm(folder: Path, *arguments: str) -> None:
    done = run(needs("npm"), *arguments, env=dict(os.environ), cwd=folder, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
