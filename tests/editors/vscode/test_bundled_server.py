"""A package of the extension for one platform, which contains the server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.editors.vscode.conftest import OpenWindow
from tests.lsp.e2e.conftest import Environment, StartRun

pytestmark = pytest.mark.posix


def bundled(extensions: Path) -> Path:
    """Return the path of the server in the extension."""
    [extension] = extensions.glob("flyte-sidecar.*")
    return extension / "bundled" / "bin" / "flyte-sidecar"


@pytest.fixture
def extensions(extensions: Path, user: Environment, tmp_path: Path) -> Path:
    """A copy of the extensions in which this one contains the server."""
    folder = shutil.copytree(extensions, tmp_path / "extensions")
    program = bundled(folder)
    program.parent.mkdir(parents=True)
    program.symlink_to(shutil.which("flyte-sidecar", path=user["PATH"]) or "")
    return folder


def test_the_server_in_the_extension_is_used_before_path_and_reported(
    open_window: OpenWindow, start_run: StartRun, extensions: Path, tmp_path: Path
) -> None:
    run = start_run()
    on_path = tmp_path / "programs" / "flyte-sidecar"
    on_path.parent.mkdir()
    on_path.write_text("#!/bin/sh\nexit 3\n")
    on_path.chmod(0o755)
    window = open_window(PATH=f"{on_path.parent}{os.pathsep}{os.defpath}")
    window.show_events()
    window.count.hover()
    command = f"{bundled(extensions)} (from the extension)"
    expect(window.page.get_by_role("tooltip")).to_contain_text(command)
    window.act("deploy of run nightly", "Approve")
    assert run.answer() is True
