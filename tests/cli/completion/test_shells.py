"""Tab in real shells, on a real terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.completion.shells import CLEAR_LINE, SHELLS, shell

pytestmark = pytest.mark.posix

HOSTILE = '$(touch ran) `touch ran`; "it\'s" !x'
"""A name that would run commands, if a shell expanded it."""


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
