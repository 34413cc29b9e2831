from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from tests.flyte_commands.cli import cli

pytestmark = pytest.mark.usefixtures("flyte")  # which selects the store


def completions(*arguments: str, incomplete: str = "") -> list[str]:
    shell = ShellComplete(cli, {}, "flyte", "_FLYTE_COMPLETE")
    return [found.value for found in shell.get_completions(list(arguments), incomplete)]


def test_runs_and_names_of_pending_local_events_are_completed(local: Any) -> None:
    for run, name in (("r1", "deploy"), ("r1", "debug"), ("r1", "x\u202e"), ("r2", "other")):
        local.create(name, run)
    local.create("done", "r3").signal(True)
    assert completions("answer") == ["r1", "r2"]
    assert completions("answer", incomplete="r2") == ["r2"]
    assert completions("answer", "r1") == ["debug", "deploy"]
    assert completions("answer", "r1", incomplete="dep") == ["deploy"]
    assert completions("answer", "r1", "deploy") == []


def test_a_store_that_cannot_be_used_completes_nothing(store: Path) -> None:
    store.write_text("my diary")
    assert completions("answer") == []
