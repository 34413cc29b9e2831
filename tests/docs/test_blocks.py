"""A test is responsible for every code block of every page, see blocks.py."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.blocks import Block, all_blocks, claimed, region
from tests.docs.test_commands import CHECKED
from tests.docs.test_configuration import FORMATS

TESTS = {path: path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))}

GENERATED = {"schemas/README.md"}
"""Pages that tests compare with what `make generate` writes."""

TAKEN_BY_HAND = {
    ("docs/editors/helix.md", "text"),
    ("docs/editors/vim.md", "text"),
}
"""Screens of programs that are not installed in CI: Helix, and plugins of Vim."""

EXAMPLES = (
    "docs/examples/",
    "clients/typescript/examples/",
    "clients/go/examples/",
    "clients/shell/",
)
"""The folders of the programs that blocks show. Tests run all of them."""

SHOWN = [block for block in all_blocks() if block.source]


def has_a_test(block: Block) -> bool:
    if block.page in GENERATED or (block.page, block.language) in TAKEN_BY_HAND:
        return True
    if block in claimed or block in CHECKED or block.language in FORMATS:
        return True
    return block.comment is not None and (
        block.source is not None or any(f'"{block.comment[1]}"' in text for text in TESTS.values())
    )


def test_a_test_is_responsible_for_every_block() -> None:
    for path, text in TESTS.items():
        if re.search(r"\b(claim|connections)\(|e2e\.page import.*blocks", text):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert not [str(block) for block in all_blocks() if not has_a_test(block)]


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_a_block_equals_its_file(block: Block) -> None:
    assert block.source is not None
    path = block.source[0].relative_to(ROOT).as_posix()
    assert path.startswith(EXAMPLES), f"{path}: no test runs it"
    expected = region(block.source)
    if os.environ.get("UPDATE_DOCS"):
        block.replace(expected)
    else:
        assert block.text == expected, "UPDATE_DOCS=1 copies the file into the page"


def test_every_example_is_shown() -> None:
    folder = ROOT / "docs" / "examples"
    shown = {block.source[0] for block in SHOWN if block.source}
    assert {path for path in folder.rglob("*") if is_program(path)} <= shown


def is_program(path: Path) -> bool:
    return path.suffix in (".mjs", ".go", ".py", ".sh")
