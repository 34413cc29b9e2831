"""Runs that the hook does not serve behave as without it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from flyte_sidecar.local_runs.sources import notebook_asks
from tests.local_runs.conftest import WORKFLOWS, Start
from tests.terminal import Terminal

PROMPT_OF_SDK = ["EOFError", "EOF when reading a line"]
"""How the SDK's prompt fails without a terminal."""


def notices(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("flyte-sidecar:")]


def test_off_disables_the_feature(start: Start, store: Path) -> None:
    status, _, stderr = start("one", FLYTE_SIDECAR_LOCAL_RUNS="off").end()
    assert status == 1
    assert PROMPT_OF_SDK[1] in stderr
    assert notices(stderr) == []
    assert not store.exists()


@pytest.mark.posix
def test_the_sdk_prompts_if_the_store_cannot_be_used(start: Start, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"not a store\n" * 1000)
    unusable = [str(text), str(tmp_path), "/dev/full", "sqlite:///x", "~nobody-has-this-name/x"]
    run = start(*unusable, str(tmp_path / "usable.db"), "unusable_stores", FLYTE_SIDECAR_STORE="")
    status, stdout, stderr = run.end()
    assert status == 0, stderr
    *errors, unpaired = json.loads(stdout.rpartition("RESULT")[2])
    assert errors == [PROMPT_OF_SDK] * len(unusable)
    assert unpaired[0] == "UnicodeEncodeError"  # of the SDK, which prints the name
    shown = notices(stderr)
    assert len(shown) == len(unusable) + 1
    for path, notice in zip(unusable[:4], shown, strict=False):
        assert path in notice


@pytest.mark.posix
def test_the_sdk_prompts_if_the_store_is_lost_during_a_wait(
    python: Path, store: Path, home: dict[str, str]
) -> None:
    terminal = Terminal((python, WORKFLOWS, "one"), home, store.parent)
    try:
        terminal.wait_for("Deploy? [y/n]:")
        for path in store.parent.glob("events.db*"):
            path.unlink()
        terminal.wait_for("conditions can be answered only here")
        terminal.wait(lambda screen: screen.count("Deploy? [y/n]:") == 1)
        terminal.type("y\r")
        terminal.wait_for("RESULT true")
    finally:
        terminal.close()


@pytest.mark.parametrize("asks", [True, False])
def test_a_notebook_asks_its_user_itself_if_it_can(
    asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel: Any = SimpleNamespace(_allow_stdin=asks)
    module: Any = ModuleType("ipykernel.kernelapp")
    module.IPKernelApp = SimpleNamespace(
        initialized=lambda: True, instance=lambda: SimpleNamespace(kernel=kernel)
    )
    assert not notebook_asks()
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", module)
    assert notebook_asks() is asks
