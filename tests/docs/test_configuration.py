"""The configuration that pages show can be read, and has settings that exist."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.blocks import Block, all_blocks

FORMATS = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}

CONFIGURATION = [block for block in all_blocks() if block.language in FORMATS]
EXTENSION = json.loads((ROOT / "clients" / "vscode" / "package.json").read_text())
SETTINGS: dict[str, Any] = EXTENSION["contributes"]["configuration"]["properties"]


@pytest.mark.parametrize("block", CONFIGURATION, ids=str)
def test_the_configuration_can_be_read(block: Block) -> None:
    FORMATS[block.language](block.text)


VSCODE = [block for block in CONFIGURATION if '"flyteSidecar.' in block.text]


@pytest.mark.parametrize("block", VSCODE, ids=str)
def test_the_settings_exist(block: Block) -> None:
    names = {name for name in json.loads(block.text) if name.startswith("flyteSidecar.")}
    assert names <= SETTINGS.keys()
