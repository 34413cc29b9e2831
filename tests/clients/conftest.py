"""Fixtures that build the clients in other languages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import npm
from tests.conftest import ROOT, needs

CLIENTS = ROOT / "clients"
NODE = (20,)
GO = (1, 24)
BUILD_SECONDS = npm.BUILD_SECONDS


@pytest.fixture(scope="session")
def typescript(testrun_uid: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the TypeScript client, built."""
    needs("node", NODE)
    npm.build(CLIENTS / "typescript", "build", testrun_uid, tmp_path_factory)
    return CLIENTS / "typescript"


@pytest.fixture
def typescript_copy(typescript: Path, tmp_path: Path) -> Path:
    """A copy of the TypeScript client, to be changed and built while other tests use the client."""
    root = tmp_path / "copy"
    folder = root / "clients" / "typescript"
    ignored = shutil.ignore_patterns("node_modules", "dist", "build")
    shutil.copytree(typescript, folder, ignore=ignored)
    (folder / "node_modules").symlink_to(typescript / "node_modules")
    for name in ("schemas", "sidecar"):
        (root / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="session")
def go() -> tuple[str, Path]:
    """The go command and the folder of the Go client."""
    return needs("go", GO), CLIENTS / "go"
