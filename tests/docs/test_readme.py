"""The README: its commands work in a clone, and its links work on PyPI too."""

from __future__ import annotations

import re

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from flyte_sidecar._version import VERSION
from tests.conftest import ROOT, run
from tests.docs.blocks import claim
from tests.docs.links import links_of

README = (ROOT / "README.md").read_text("utf-8")
REPOSITORY = "https://github.com/flyte-sidecar/flyte-sidecar"
MAX_LINES = 60
EXAMPLES = claim("README.md", "console", "The first minute")


def test_the_readme_is_one_screen() -> None:
    assert len(README.splitlines()) <= MAX_LINES


@pytest.mark.posix
def test_the_commands_of_the_first_minute_work(command: dict[str, str]) -> None:
    shown = "".join(block.text for block in EXAMPLES)
    lines = re.findall(r"^\$ (?:uvx )?(flyte-sidecar .+)$", shown, re.M)
    assert len(lines) == shown.count("$ ")
    outputs = []
    for line in lines:
        done = run("sh", "-c", line, env=command)
        assert done.returncode == 0, line
        outputs.append(done.stdout + done.stderr)
    demo, created, pending, answered = outputs
    assert "The demo is complete." in demo
    assert "deploy of run r1 waits for yes or no" in created
    assert "Deploy the model?" in pending
    assert "deploy of run r1 was approved" in answered


def test_the_readme_names_the_targets_for_a_clone() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"`make ([a-z-]+)`", README)
    assert targets == ["run", "test"]
    assert all(f"\n{target}: " in makefile for target in targets)
    assert "`pip install .`" in README


@pytest.fixture(scope="module")
def on_pypi() -> str:
    """The README in the metadata of the package."""
    return ProjectMetadata(str(ROOT), PluginManager()).core.readme


def test_on_pypi_every_link_leads_to_the_files_of_the_release(on_pypi: str) -> None:
    relative = [link for link in links_of(README) if "://" not in link]
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com")
    for link in relative:
        base = f"{raw}/v{VERSION}" if link.endswith(".svg") else f"{REPOSITORY}/blob/v{VERSION}"
        assert f"]({base}/{link})" in on_pypi
    assert relative
    assert all(link.startswith("https://") for link in links_of(on_pypi))
