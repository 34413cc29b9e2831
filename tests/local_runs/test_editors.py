"""A real editor in front of a real local run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.local_runs.conftest import LocalRun
from tests.lsp.e2e.conftest import Environment, project, user
from tests.lsp.e2e.neovim import Neovim
from tests.lsp.e2e.test_neovim import LENS, NO_QUESTIONS

__all__ = ["project", "user"]


def test_neovim_answers_the_run_of_the_file_that_it_shows(
    python: Path, user: Environment, project: Path
) -> None:
    command = (python.with_name("flyte"), "run", "--local", "workflow.py", "release")
    with closing(Neovim(user, project, NO_QUESTIONS)) as neovim:
        neovim.wait_for("new_condition")
        run = LocalRun((*command, "--version", "v7"), user, project)
        try:
            neovim.wait(LENS.search)
            neovim.type("gra")
            neovim.wait_for("2: Approve")
            neovim.type("2\r")
            status, stdout, stderr = run.end()
            assert status == 0, stderr
            assert "v7" in stdout
        finally:
            run.clear()
