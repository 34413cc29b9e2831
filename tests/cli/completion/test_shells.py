"""Tab in real shells, on a real terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.cli.verbs.completion import FOLDER, SCRIPTS
from tests.conftest import needs
from tests.terminal import Terminal

SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], "source {script}"),
    "zsh": (["-f", "-i"], "fpath=({folder} $fpath); autoload -U compinit; compinit -D -u"),
    "fish": (["--no-config", "-i"], "source {script}"),
}
"""The arguments of each shell, and the line that loads the script."""

CLEAR_LINE = "\x15"

HOSTILE = '$(touch ran) `touch ran`; "it\'s" !x'
"""A name that would run commands, if a shell expanded it."""


@contextmanager
def shell(name: str, command: dict[str, str], folder: Path) -> Iterator[Terminal]:
    """Start a shell that has loaded the script."""
    arguments, load = SHELLS[name]
    env = {**command, "HOME": str(folder), "PS1": "$ ", "XDG_DATA_HOME": str(folder)}
    terminal = Terminal([needs(name), *arguments], env, folder, columns=120)
    try:
        line = load.format(script=FOLDER / SCRIPTS[name], folder=FOLDER)
        terminal.type(f"{line}; echo rea''dy\r")
        terminal.wait_for("\nready")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("name", SHELLS)
def test_tab_completes_what_is_typed(
    name: str, local: Any, command: dict[str, str], tmp_path: Path
) -> None:
    local.create("deploy", "team:r1")
    local.create("threshold", "team:r1")
    local.create(HOSTILE, "r2")
    with shell(name, command, tmp_path) as terminal:
        for typed, completed in (
            ("flyte-sidecar pend\t", "flyte-sidecar pending"),
            ("flyte-sidecar --backend=loc\t", "flyte-sidecar --backend=local"),
            ("flyte-sidecar call events.cr\t", "flyte-sidecar call events.create"),
            ("flyte-sidecar get team:\t", "flyte-sidecar get team:r1"),
            ("flyte-sidecar get team:r1 thr\t", "flyte-sidecar get team:r1 threshold"),
            ("flyte-sidecar get --js\t", "flyte-sidecar get --json"),
        ):
            terminal.type(typed)
            terminal.wait_for(completed)
            terminal.type(CLEAR_LINE)
        terminal.type("flyte-sidecar get --json r2 \t")
        terminal.wait_for("ran\\)")
        terminal.type("\r")
        terminal.wait_for('"actionName"')
        assert f'"name":{json.dumps(HOSTILE)}' in "".join(terminal.lines)
    assert "ran" not in os.listdir(tmp_path)
