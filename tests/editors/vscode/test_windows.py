"""Several windows, which share what the user is asked."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.conftest import TEST_TIMEOUT
from tests.editors.vscode.conftest import OpenWindow
from tests.editors.vscode.workbench import Workbench
from tests.lsp.e2e.conftest import StartRun
from tests.npm import BUILD_SECONDS

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]


def test_one_of_two_windows_asks_and_both_show_the_answer(
    open_window: OpenWindow, start_run: StartRun
) -> None:
    windows = [open_window(), open_window()]
    for window in windows:
        window.show_events()
        expect(window.welcome).to_contain_text("No Flyte run is waiting")
    start_run("nightly")
    _wait_for_question(windows, "nightly asks")
    weekly = start_run("weekly")
    asking = _wait_for_question(windows, "weekly asks")
    for window in windows:
        expect(window.badge).to_have_text("2")
    asking.notification("weekly asks").get_by_role("button", name="Approve").click()
    assert weekly.answer() is True
    for window in windows:
        expect(window.badge).to_have_text("1")
    # By now, the other window has had the time of a second run to ask about the first one too.
    assert sum(window.notification("nightly asks").count() for window in windows) == 1
    assert sum(window.notification("weekly asks").count() for window in windows) == 0


def _wait_for_question(windows: list[Workbench], text: str) -> Workbench:
    """Return the window that asks."""
    deadline = time.monotonic() + TEST_TIMEOUT
    while True:
        for window in windows:
            if window.notification(text).count() > 0:
                return window
        assert time.monotonic() < deadline, "no window asks"
        windows[0].page.wait_for_timeout(50)  # milliseconds between looks
