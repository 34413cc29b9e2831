"""Several windows, which share what the user is asked."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.editors.vscode.conftest import OpenWindow
from tests.lsp.e2e.conftest import StartRun


def test_one_of_two_windows_asks_and_both_show_the_answer(
    open_window: OpenWindow, start_run: StartRun
) -> None:
    windows = [open_window(), open_window()]
    for window in windows:
        window.show_events()
        expect(window.welcome).to_contain_text("No Flyte run is waiting")
    for run in ("nightly", "weekly"):  # a second question comes after all questions about the first
        waiting = start_run(run)
        for window in windows:
            expect(window.event(f"deploy of run {run}")).to_be_visible()
    asking = next(w for w in windows if w.has_notification("weekly asks"))
    asking.notification("weekly asks").get_by_role("button", name="Approve").click()
    assert waiting.answer() is True
    for window in windows:
        expect(window.badge).to_have_text("1")
    assert sum(window.notification("nightly asks").count() for window in windows) == 1
    assert sum(window.notification("weekly asks").count() for window in windows) == 0
