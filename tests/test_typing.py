"""Pyright checks the uses of the public API in `typing/`. `make types` checks them by mypy."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import run
from tests.pyright import pyright

__all__ = ["pyright"]

USES = Path(__file__).parent / "typing" / "public_api.py"

CONFIG = """\
{
  "include": ["public_api.py"],
  "typeCheckingMode": "standard",
  "reportUnnecessaryTypeIgnoreComment": "error"
}
"""


@pytest.mark.posix
def test_pyright_rejects_exactly_the_wrong_uses(pyright: Path, tmp_path: Path) -> None:
    uses = USES.read_text() + "\nwrong: int = init()\nright: None = init()  # type: ignore\n"
    (tmp_path / "pyrightconfig.json").write_text(CONFIG)
    (tmp_path / USES.name).write_text(uses)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = run(
        pyright / "pyright", "-p", tmp_path, "--outputjson", env={**os.environ, "PATH": path}
    )
    last = uses.count("\n") - 1
    problems = json.loads(done.stdout)["generalDiagnostics"]
    assert [problem["range"]["start"]["line"] for problem in problems] == [last - 1, last], problems
