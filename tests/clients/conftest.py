"""Fixtures that build the clients in other languages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, needs, run, worker_lock

CLIENTS = ROOT / "clients"
NODE = (20,)
GO = (1, 24)
BUILD_SECONDS = 600


@pytest.fixture
def typescript(testrun_uid: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the TypeScript client, built; only one test at a time uses it."""
    needs("node", NODE)
    npm, folder = needs("npm"), CLIENTS / "typescript"
    with worker_lock("typescript", tmp_path_factory) as shared:
        installed = shared / f"typescript-{testrun_uid}"
        steps = [] if installed.exists() else [["ci", "--ignore-scripts"], ["run", "build"]]
        for arguments in steps:
            done = run(npm, *arguments, env=dict(os.environ), cwd=folder, timeout=BUILD_SECONDS)
            assert done.returncode == 0, done.stdout + done.stderr
        installed.touch()
        yield folder


@pytest.fixture(scope="session")
def go() -> tuple[str, Path]:
    """The go command and the folder of the Go client."""
    return needs("go", GO), CLIENTS / "go"
