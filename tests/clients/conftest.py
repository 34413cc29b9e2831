"""The clients of other languages, built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import ROOT, needs, run

CLIENTS = ROOT / "clients"
NODE = (20,)
GO = (1, 24)
BUILD_SECONDS = 600


@pytest.fixture(scope="session")
def typescript() -> Path:
    """The folder of the TypeScript client, with what it needs installed, and built."""
    needs("node", NODE)
    npm, folder = needs("npm"), CLIENTS / "typescript"
    for words in (["ci", "--ignore-scripts"], ["run", "build"]):
        done = run(npm, *words, env=dict(os.environ), cwd=folder, timeout=BUILD_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def go() -> tuple[str, Path]:
    """The go command, and the folder of the Go client."""
    return needs("go", GO), CLIENTS / "go"
