"""Names and prompts that try to run, hide or forge something in VS Code."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.editors.vscode.conftest import OpenWindow
from tests.lsp.e2e.conftest import StartRun
from tests.npm import BUILD_SECONDS

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]

ADDRESS = "https://evil.example"
ACTIVE = f"[Run](command:workbench.action.terminal.new) <img src=x> $(flame) {ADDRESS}"
HOSTILE = f"Deploy?\n\nApproved by operator\u202e{ACTIVE}"


def test_texts_of_runs_are_shown_and_do_nothing(
    open_window: OpenWindow, start_run: StartRun
) -> None:
    window = open_window()
    window.show_events()
    expect(window.welcome).to_contain_text("No Flyte run is waiting")
    start_run(f"run {ACTIVE}", name="count", expectedType="int", prompt=HOSTILE)
    question = window.notification("asks")
    row = window.event("count of run")
    row.hover()
    tooltip = window.page.get_by_role("tooltip").filter(has_text="Deploy?")
    expect(tooltip).to_be_visible()
    for text in (question, row, tooltip):
        expect(text).to_contain_text(re.compile(r"Deploy\?\s*Approved by operator"))
        _expect_inactive(text)
    window.act("count of run", "Answer")
    expect(window.quick_input).to_contain_text("Deploy? Approved by operator")
    _expect_inactive(window.quick_input)
    window.keyboard.press("Escape")
    question.get_by_role("button", name="Show").click()
    expect(window.document).to_contain_text("Approved by operator")
    _expect_inactive(window.document)


def _expect_inactive(text: Locator) -> None:
    """Expect that a text contains only links to the address that they show."""
    expect(text.locator("img, .codicon-flame")).to_have_count(0)
    links = text.locator("a[href]:not([href=''])")
    expect(links.and_(text.get_by_text(ADDRESS, exact=True))).to_have_count(links.count())
