"""Pyright, which two tests run: beside the language server, and on the uses of the public API."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import ROOT, needs, run, worker_lock

FOLDER = ROOT / "tests" / "lsp" / "e2e" / "pyright"


@pytest.fixture
def pyright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pyright's commands."""
    with worker_lock("pyright", tmp_path_factory):
        if not (FOLDER / "node_modules").exists():
            arguments = ("ci", "--silent", "--omit=optional")
            done = run(needs("npm"), *arguments, env=dict(os.environ), cwd=FOLDER, timeout=600)
            assert done.returncode == 0, done.stderr
    return FOLDER / "node_modules" / ".bin"
