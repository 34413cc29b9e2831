"""The server of the extension: how it is found, and what happens without it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from flyte_sidecar._version import VERSION
from tests.conftest import TEST_TIMEOUT
from tests.editors.vscode.conftest import OpenWindow
from tests.editors.vscode.server import CodeServer
from tests.lsp.e2e.conftest import Environment, StartRun
from tests.npm import BUILD_SECONDS

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]


def test_a_user_gets_from_the_extension_to_an_answered_event(
    open_window: OpenWindow, user: Environment, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    window = open_window(PATH=f"{programs}{os.pathsep}{os.defpath}")
    window.show_events()
    expect(window.welcome).to_contain_text("The server is not installed")
    expect(window.welcome).to_contain_text("uv tool install flyte-sidecar")
    expect(window.notifications).to_have_count(0)

    installed = shutil.which("flyte-sidecar", path=user["PATH"])
    assert installed is not None
    (programs / "flyte-sidecar").symlink_to(installed)
    window.welcome.get_by_role("button", name="Try Again").click()
    window.welcome.get_by_role("button", name="Create a Sample Event").click()
    question = window.notification("Deploy the model")
    question.get_by_role("button", name="Approve").click()
    expect(window.notification("was approved by operator")).to_be_visible()


def test_uvx_runs_the_server_of_this_version_if_the_person_agrees(
    open_window: OpenWindow, user: Environment, tmp_path: Path
) -> None:
    uvx = tmp_path / "programs" / "uvx"
    arguments = tmp_path / "arguments"
    uvx.parent.mkdir()
    uvx.write_text(f'#!/bin/sh\necho "$@" >{arguments}\necho no network >&2\nexit 2\n')
    uvx.chmod(0o755)
    window = open_window(PATH=f"{uvx.parent}{os.pathsep}{os.defpath}")
    window.show_events()
    window.welcome.get_by_role("button", name="Run with uvx").click()
    window.dialog.get_by_role("button", name="Cancel").click()
    assert not arguments.exists()

    window.welcome.get_by_role("button", name="Run with uvx").click()
    window.dialog.get_by_role("button", name="Download and Run").click()
    window.event("Show Output").click()
    last = "The server has stopped: it ended before it was ready"
    output = window.page.locator(".output-view-pane, .output-view")
    expect(output).to_contain_text("no network")
    expect(output).to_contain_text(last)
    expect(output).not_to_contain_text("couldn't create connection")

    installed = shutil.which("flyte-sidecar", path=user["PATH"])
    requirement = f"flyte-sidecar[flyte]=={VERSION}"
    assert arguments.read_text().split() == ["--from", requirement, "flyte-sidecar", "--stdio"]
    uvx.write_text(f'#!/bin/sh\nexec "{installed}" --stdio\n')
    window.event("Restart").click()
    expect(window.welcome).to_contain_text("No Flyte run is waiting")


def test_a_killed_server_is_restarted(
    open_window: OpenWindow, server: CodeServer, start_run: StartRun
) -> None:
    window = open_window()
    window.open_file("workflow.py")
    expect(window.lens("Run Locally…")).to_be_visible()
    (process,) = server.sidecars
    process.kill()
    process.wait(TEST_TIMEOUT)
    run = start_run()
    window.show_events()
    window.act("deploy of run nightly", "Reject")
    assert run.answer() is False
    assert server.sidecars != [process]


def test_a_server_that_does_not_start_is_replaced(
    open_window: OpenWindow, user: Environment, tmp_path: Path
) -> None:
    program = tmp_path / "programs" / "flyte-sidecar"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    window = open_window(PATH=f"{program.parent}{os.pathsep}{os.defpath}")
    window.show_events()
    stopped = "The server has stopped: it ended before it was ready."
    expect(window.page.get_by_text(stopped)).to_be_visible()
    expect(window.notifications).to_have_count(0)

    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    window.event("Restart").click()
    expect(window.welcome).to_contain_text("Starting the server")
    program.unlink()
    program.symlink_to(shutil.which("flyte-sidecar", path=user["PATH"]) or "")
    window.run("Flyte Sidecar: Restart Server")
    expect(window.welcome).to_contain_text("No Flyte run is waiting")


def test_an_untrusted_workspace_selects_neither_the_server_nor_the_backend(
    open_window: OpenWindow, start_run: StartRun, project: Path, tmp_path: Path
) -> None:
    run = start_run()
    marker = tmp_path / "started"
    settings = {
        "flyteSidecar.command": ["touch", str(marker)],
        "flyteSidecar.backend": "flyte",
        "flyteSidecar.store": str(tmp_path / "other.db"),
    }
    (project / ".vscode").mkdir()
    (project / ".vscode" / "settings.json").write_text(json.dumps(settings))
    window = open_window(UNTRUSTED)
    window.show_events()
    window.act("deploy of run nightly", "Approve")
    assert run.answer() is True
    assert not marker.exists()


UNTRUSTED = {
    "security.workspace.trust.enabled": True,
    "security.workspace.trust.startupPrompt": "never",
}
