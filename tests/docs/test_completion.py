"""The examples of the section on completion in docs/command-line.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.completion.shells import CLEAR_LINE, shell
from tests.conftest import run
from tests.docs.blocks import claim

pytestmark = pytest.mark.posix

COMPLETED, REJECTED = (
    block.text for block in claim("docs/command-line.md", "console", "Completion and manual page")
)


def test_tab_shows_the_names_of_the_example(command: dict[str, str], tmp_path: Path) -> None:
    first, names, second, completed = COMPLETED.splitlines()
    for name in names.split():
        run("flyte-sidecar", "create", "training-7", name, env=command)
    with shell("bash", command, tmp_path) as terminal:
        terminal.type(_keys(first))
        terminal.wait_for(f"\n{names}\n")
        terminal.type(CLEAR_LINE + _keys(second))
        terminal.wait_for(completed)


def _keys(line: str) -> str:
    return line.removeprefix("$ ").replace("<Tab>", "\t")


def test_names_that_do_not_exist_are_rejected_as_in_the_examples(command: dict[str, str]) -> None:
    run("flyte-sidecar", "create", "training-7", "deploy", env=command)
    for example in REJECTED.split("$ ")[1:]:
        line, output = example.split("\n", 1)
        done = run("bash", "-c", line, env=command)
        assert (done.stdout, done.stderr) == ("", output)
        assert done.returncode != 0
