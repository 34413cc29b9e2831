"""The page about the architecture: what it names exists, and its layers are those of the code."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.docs.blocks import claim
from tests.test_architecture import AT_THE_BOTTOM, MAY_IMPORT, PACKAGE

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
[LISTING] = claim("docs/architecture.md", "text")
FLYTE = PACKAGE / "backends" / "flyte"


def sections() -> dict[str, str]:
    found = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return dict(found)


def test_the_files_that_the_page_names_exist() -> None:
    named = re.findall(r"`([\w./-]+/[\w./-]*|\w+\.(?:py|md))`", PAGE)
    local = [PACKAGE / "events", PACKAGE / "backends" / "local", PACKAGE / "lsp", FLYTE / "config"]
    folders = [ROOT, PACKAGE, FLYTE, *local]
    missing = [
        path
        for path in named
        if path != "cli/verbs/NAME.py" and not any((folder / path).exists() for folder in folders)
    ]
    assert len(named) > 50
    assert missing == []


def test_the_arrows_between_the_layers_are_imports_that_are_allowed() -> None:
    arrows = re.findall(r"^ +(\w+) --> (\w+)$", sections()["The layers"], re.MULTILINE)
    assert len(arrows) > 10
    for importing, imported in arrows:
        assert imported in MAY_IMPORT[importing] | AT_THE_BOTTOM


def test_the_files_are_listed_completely() -> None:
    listing = LISTING.text
    for package in PACKAGE.iterdir():
        if package.is_dir() and (package / "__init__.py").exists():
            name = "backends/local" if package.name == "backends" else package.name
            assert f"{name}/" in listing, package.name
    for line in re.findall(r"^(\w+)/ ", listing, re.MULTILINE):
        assert (ROOT / line).is_dir(), line


def test_the_parts_of_a_request_are_modules() -> None:
    participants = re.findall(r"participant \w as (rpc|server|events)\.(\w+)", PAGE)
    assert len(participants) > 5
    for package, module in participants:
        assert (PACKAGE / package / f"{module}.py").exists(), module
