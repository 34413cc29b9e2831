"""The README's commands and Python example, and the links of all pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, run

Environment = dict[str, str]

README = (ROOT / "README.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "schemas").glob("*.md"),
    *(ROOT / "clients").glob("*/README.md"),
]


@pytest.mark.posix
def test_the_commands_of_install_and_try_work(command: Environment) -> None:
    commands = re.findall(r"^\$ (.+)$", SECTIONS["Install and try"], re.MULTILINE)
    assert commands.pop(0) == "pip install ."
    outputs = []
    for line in commands:
        done = run("sh", "-c", line, env=command)
        assert done.returncode == 0, line
        outputs.append(done.stdout + done.stderr)
    demo, created, pending, answered, listed = outputs
    assert "The demo is complete." in demo
    assert "deploy of run r1 waits for yes or no" in created
    assert "Deploy?" in pending
    assert "deploy of run r1 was approved" in answered
    assert '"payload":true' in listed


def test_the_python_example_works(command: Environment) -> None:
    [example] = re.findall(r"```python\n(.*?)```", SECTIONS["Python"], re.DOTALL)
    done = run(sys.executable, "-c", example, env=command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "deploy PAUSED <class 'bool'>\n"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
