"""The pages about editors, whose examples the tests run in the editors."""

from __future__ import annotations

from tests.conftest import ROOT
from tests.docs.blocks import claim

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "editors").glob("*.md"))


def blocks(editor: str, language: str) -> list[str]:
    """Return the code blocks of an editor's page, for which the caller is then responsible."""
    return [block.text for block in claim(f"docs/editors/{editor}.md", language)]


[_EXAMPLE] = claim("docs/language-server.md", "python", "The example")
WORKFLOW = _EXAMPLE.text
LINE = WORKFLOW[: WORKFLOW.index("flyte.new_condition(")].count("\n") + 1
"""The line of the call of `new_condition`, counted from 1 as in editors."""
