"""The pages about editors, whose examples the tests run in the editors."""

from __future__ import annotations

import re

from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "editors").glob("*.md"))


def blocks(editor: str, language: str) -> list[str]:
    """Return the code blocks of an editor's page."""
    return blocks_of((DOCS / "editors" / f"{editor}.md").read_text(), language)


def blocks_of(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


[WORKFLOW] = blocks_of((DOCS / "language-server.md").read_text(), "python")
LINE = WORKFLOW[: WORKFLOW.index("flyte.new_condition(")].count("\n") + 1
"""The line of the call of `new_condition`, counted from 1 as in editors."""
