"""The tests can be collected on Windows; those that need POSIX are marked, and skipped there."""

from __future__ import annotations

import os
import sys

from tests.conftest import ROOT, run


def test_no_test_imports_at_its_top_what_windows_does_not_have() -> None:
    command = (sys.executable, "-m", "tests.import_as_on_windows")
    done = run(*command, env=dict(os.environ), cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
