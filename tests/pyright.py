"""Pyright, which two tests run: beside the language server, and on the uses of the public API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import npm
from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "lsp" / "e2e" / "pyright"


@pytest.fixture
def pyright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pyright's commands."""
    return npm.install(FOLDER, tmp_path_factory, "--omit=optional") / ".bin"
