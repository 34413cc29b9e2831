"""Fixtures with real editors and the runs that wait in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import Process
from tests.lsp.e2e.neovim import Neovim
from tests.lsp.e2e.page import WORKFLOW
from tests.lsp.e2e.waiting_run import WaitingRun

StartProcess = Callable[..., Process]
StartRun = Callable[..., WaitingRun]
StartNeovim = Callable[..., Neovim]
Environment = dict[str, str]


DEPLOY = {
    "name": "deploy",
    "prompt": "Deploy the model to **production**?",
    "promptType": "markdown",
    "description": "Accuracy 0.93 on the holdout set",
}
"""The event of the example."""


@pytest.fixture
def start_process(store: Path, user: Environment) -> Iterator[StartProcess]:
    """Start sidecars that record answers as those of `operator`."""
    with ExitStack() as stack:

        def start(**options: Any) -> Process:
            process = Process(store, env={**user, "LOGNAME": "operator"}, **options)
            stack.callback(process.clear)
            return process

        yield start


@pytest.fixture
def start_run(start_process: StartProcess) -> StartRun:
    """Start runs that wait for an event of the embedded store."""

    def start(run: str = "nightly", **event: Any) -> WaitingRun:
        process = start_process()
        created = process.call("events.create", runName=run, **DEPLOY | event)
        return WaitingRun(process, run, created["actionName"])

    return start


@pytest.fixture
def user(command: Environment, tmp_path: Path) -> Environment:
    """Environment variables of a user with an empty home folder, who runs `flyte-sidecar`."""
    home = tmp_path / "home"
    home.mkdir()
    variables = {"HOME": str(home)}
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        variables[f"XDG_{kind}_HOME"] = str(home / kind)
    return command | variables


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the workflow of the example, in `workflow.py`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "workflow.py").write_text(WORKFLOW)
    return folder


@pytest.fixture
def start_neovim(user: Environment, project: Path) -> Iterator[StartNeovim]:
    """Start Neovim with more Lua, other arguments, and other environment variables."""
    with ExitStack() as stack:

        def start(more_lua: str = "", *, env: Environment | None = None, **options: Any) -> Neovim:
            neovim = Neovim({**user, **(env or {})}, project, more_lua, **options)
            stack.enter_context(closing(neovim))
            neovim.wait_for("All")  # at the end of the statusline
            return neovim

        yield start
