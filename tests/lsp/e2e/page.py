"""The examples of docs/language-server.md, which the tests run in the editors."""

from __future__ import annotations

import re

from tests.conftest import ROOT

PATH = ROOT / "docs" / "language-server.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PATH.read_text(), re.M | re.S))


def blocks(heading: str, language: str) -> list[str]:
    """Return the code blocks of a section."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[heading], re.M | re.S)


def example(heading: str, language: str) -> str:
    """Return the first code block of a section."""
    return blocks(heading, language)[0]


WORKFLOW = example("The example", "python")
LINE = WORKFLOW[: WORKFLOW.index("flyte.new_condition(")].count("\n") + 1
"""The line of the call of `new_condition`, counted from 1 as in editors."""
