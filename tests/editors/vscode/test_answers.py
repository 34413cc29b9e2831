"""Runs that wait for answers, and a person in front of VS Code."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.editors.vscode.conftest import OpenWindow
from tests.lsp.e2e.conftest import StartRun
from tests.npm import BUILD_SECONDS

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]


def test_a_notification_answers_a_run_that_starts_to_wait(
    open_window: OpenWindow, start_run: StartRun
) -> None:
    window = open_window()
    window.open_file("workflow.py")
    expect(window.lens("Run Locally…")).to_be_visible()
    run = start_run()
    question = window.notification("nightly asks: Deploy the model to **production**? (deploy)")
    expect(question).to_be_visible()
    expect(window.badge).to_have_text("1")
    expect(window.count).to_have_text("1")
    question.get_by_role("button", name="Approve").click()
    assert run.answer() is True
    expect(window.notification("was approved by operator")).to_be_visible()
    expect(window.badge).to_be_hidden()
    expect(window.count).to_be_hidden()


def test_the_view_answers_runs_by_the_mouse(open_window: OpenWindow, start_run: StartRun) -> None:
    deploy = start_run()
    count = start_run("weekly", name="count", expectedType="int", prompt="How many?")
    window = open_window()
    window.show_events()
    window.act("deploy of run nightly", "Reject")
    assert deploy.answer() is False
    expect(window.event("deploy of run nightly")).to_be_hidden()

    window.act("count of run weekly", "Answer")
    window.type("many")
    expect(window.quick_input).to_contain_text("expects a whole number")
    window.keyboard.press("Enter")
    window.type("12")
    window.keyboard.press("Enter")
    assert count.answer() == 12
    expect(window.badge).to_be_hidden()

    window.event("Recent").click()
    expect(window.event("count of run weekly, answered 12 by operator")).to_be_visible()
    expect(window.event("deploy of run nightly, rejected by operator")).to_be_visible()


def test_the_keyboard_alone_answers_and_aborts_runs(
    open_window: OpenWindow, start_run: StartRun
) -> None:
    ratio = start_run(name="ratio", expectedType="float", prompt="Which ratio?")
    window = open_window()
    window.run("Flyte: Focus on Waiting Events View")
    expect(window.event("ratio of run nightly")).to_be_visible()
    window.run("Flyte: Focus on Waiting Events View")
    window.keyboard.press("Control+Enter")
    window.type("ratio")
    window.keyboard.press("Enter")
    expect(window.quick_input).to_contain_text("Which ratio?")
    window.type("0.5")
    window.keyboard.press("Enter")
    assert ratio.answer() == 0.5

    deploy = start_run("weekly")
    for row in ("deploy of run weekly", "Recent"):
        expect(window.event(row)).to_be_visible()
    window.run("Flyte Sidecar: Abort…")
    window.type("deploy")
    window.keyboard.press("Enter")
    expect(window.quick_input).to_contain_text("Abort deploy of run weekly")
    window.type("too late")
    window.keyboard.press("Enter")
    expect(window.notification("deploy of run weekly was aborted")).to_be_visible()
    assert not deploy.pending()
