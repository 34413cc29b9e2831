"""The tables of docs/language-server.md name everything that the code has."""

from __future__ import annotations

import json
import re
from typing import get_args

from flyte_sidecar.lsp.capabilities import COMMANDS
from flyte_sidecar.lsp.source.problems import Code
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "language-server.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
SCHEMA = json.loads((ROOT / "schemas" / "settings.schema.json").read_text())


def first_cells(heading: str) -> list[list[str]]:
    """Return the code in the first cell of each row of a section's tables."""
    rows = re.findall(r"^\| (.*?) \|", SECTIONS[heading], re.MULTILINE)
    return [names for row in rows if (names := re.findall(r"`(.+?)`", row))]


def listed(heading: str) -> list[str]:
    return [name for names in first_cells(heading) for name in names]


def test_all_settings_and_their_defaults_are_listed() -> None:
    defaults = {
        name.removeprefix("flyteSidecar."): setting["default"]
        for name, setting in SCHEMA["properties"].items()
    }
    assert sorted(listed("Settings")) == sorted(defaults)
    for name, default in re.findall(r"^\| `(\w+)` \| `(.+?)` \|", SECTIONS["Settings"], re.M):
        assert json.loads(default) == defaults[name]


def test_all_commands_are_listed() -> None:
    assert sorted(listed("Commands")) == sorted(COMMANDS)


def test_all_diagnostics_are_listed() -> None:
    assert sorted(listed("Diagnostics")) == sorted(get_args(Code))
