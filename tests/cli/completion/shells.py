"""Shells that have loaded the completion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
