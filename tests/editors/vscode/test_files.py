"""The extension in the editor of a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.editors.vscode.conftest import OpenWindow
from tests.lsp.e2e.conftest import Environment, StartRun
from tests.npm import BUILD_SECONDS

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]

WITHOUT_PARAMETERS = """
import flyte

env = flyte.TaskEnvironment(name="nightly")


@env.task
def main() -> None:
    pass
"""
NOTHING_ASKED = {"flyteSidecar.asking": False}


def test_a_lens_and_a_hover_show_the_run_that_waits(
    open_window: OpenWindow, start_run: StartRun
) -> None:
    window = open_window(NOTHING_ASKED)
    editor = window.open_file("workflow.py")
    run = start_run()
    expect(window.lens("Approve")).to_be_visible()
    waiting = re.compile(r"1 waiting · since \d\d:\d\d")
    expect(window.lenses.filter(has_text=waiting)).to_be_visible()
    editor.get_by_text('"deploy"').hover()
    hover = window.page.get_by_role("tooltip").filter(has_text="waiting since")
    expect(hover.get_by_text("production")).to_have_css("font-weight", "700")
    window.page.mouse.move(0, 0)
    expect(hover).to_be_hidden()
    window.lens("Approve").click()
    assert run.answer() is True
    expect(window.lens("Approve")).to_be_hidden()
    expect(window.notifications).to_have_count(1)


def test_tasks_run_in_a_terminal_after_their_parameters_are_typed(
    open_window: OpenWindow, project: Path, user: Environment, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    flyte = programs / "flyte"
    flyte.write_text('#!/bin/sh\necho "ran: $*"\n')
    flyte.chmod(0o755)
    window = open_window(PATH=f"{programs}:{user['PATH']}")
    window.open_file("workflow.py")
    window.lens("Run Locally…").click()
    expect(window.notification("Install it there with: pip install flyte-sidecar")).to_be_visible()
    expect(window.terminal).to_contain_text("run --local workflow.py release --version")
    window.keyboard.type("v7")
    window.keyboard.press("Enter")
    expect(window.terminal).to_contain_text("ran: run --local workflow.py release --version v7")

    (project / "nightly.py").write_text(WITHOUT_PARAMETERS)
    window.open_file("nightly.py")
    window.lens("Run Locally").click()
    expect(window.terminal).to_contain_text("ran: run --local nightly.py main")
