"""The generated files of shells are up to date, and fit for any machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shell_files.__main__ import MAN_PAGE, files
from tests.conftest import ROOT, needs

FILES = files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    assert path.read_text() == FILES[path], "run `make generate` and commit the changes"


def test_the_generated_files_do_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert files() == FILES


@pytest.mark.posix
def test_the_manual_page_is_shown_without_warnings() -> None:
    command = [needs("man"), "--warnings=w", "--local-file", str(MAN_PAGE)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "EXIT STATUS" in shown.stdout
