"""Real local runs that an editor shows, and that it starts."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.local_runs.conftest import LocalRun
from tests.lsp.conftest import StartEditor, start_editor
from tests.lsp.e2e.conftest import Environment, project, user
from tests.lsp.e2e.neovim import Neovim
from tests.lsp.e2e.test_neovim import LENS, NO_QUESTIONS
from tests.lsp.test_task_lenses import PLUGIN

__all__ = ["project", "start_editor", "user"]


@pytest.mark.posix
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


RUNNABLE = """\
import flyte

env = flyte.TaskEnvironment(name="runnable")


@env.task
def plain() -> str:
    return "plain " + "result"


@env.task(retries=2)
async def given(learning_rate: float, sweep: bool, tag: str, epochs: int = 3) -> str:
    return f"{learning_rate + epochs} {sweep} {tag}"
"""


async def test_the_command_of_a_lens_runs_its_task(
    python: Path, home: dict[str, str], start_editor: StartEditor, tmp_path: Path
) -> None:
    editor = await start_editor(capabilities=PLUGIN)
    file = tmp_path / "runnable.py"
    file.write_text(RUNNABLE)
    values = {"learning_rate": ["0.5"], "sweep": [], "tag": ["a tag"]}
    runs = []
    for lens in await editor.lenses(editor.open(file, RUNNABLE)):
        (argument,) = lens["command"]["arguments"]
        typed = [word for name in argument["parameters"] for word in (f"--{name}", *values[name])]
        flyte = (python.with_name("flyte"), "run", "--local")
        runs.append(LocalRun((*flyte, file.name, argument["task"], *typed), home, tmp_path))
    for run, result in zip(runs, ("plain result", "3.5 True a tag"), strict=True):
        status, stdout, stderr = run.end()
        assert status == 0, stderr
        assert result in stdout
