"""The Python environment of the workspace, which the Python extension knows."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import expect

from tests.editors.vscode.conftest import OpenWindow
from tests.editors.vscode.install import Installation
from tests.editors.vscode.server import install_extension
from tests.editors.vscode.test_server import UNTRUSTED
from tests.lsp.e2e.conftest import Environment
from tests.npm import BUILD_SECONDS

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]

MANIFEST = {
    "name": "python",
    "publisher": "ms-python",
    "version": "1.0.0",
    "engines": {"vscode": "^1.91.0"},
    "main": "./main.js",
    "activationEvents": ["onLanguage:python"],
    "contributes": {"configuration": {"properties": {"python.path": {"type": "string"}}}},
}
MAIN = """
const { Uri, workspace } = require("vscode");
exports.activate = () => ({
  ready: Promise.resolve(),
  environments: {
    getActiveEnvironmentPath: () => ({ path: workspace.getConfiguration("python").get("path") }),
    resolveEnvironment: async ({ path }) => ({ executable: { uri: Uri.file(path) } }),
    onDidChangeActiveEnvironmentPath: () => ({ dispose: () => undefined }),
  },
});
"""
"""An extension with the part of the Python extension's API that is used."""


@pytest.fixture
def extensions(installation: Installation, extensions: Path, tmp_path: Path) -> Path:
    """The extensions, and one in place of the Python extension."""
    vsix = tmp_path / "python.vsix"
    with ZipFile(vsix, "w") as package:
        package.writestr("extension/package.json", json.dumps(MANIFEST))
        package.writestr("extension/main.js", MAIN)
    folder = shutil.copytree(extensions, tmp_path / "extensions")
    install_extension(installation, vsix, folder)
    return folder


def test_the_server_is_in_the_environment_of_a_workspace_once_it_is_trusted(
    open_window: OpenWindow, user: Environment, project: Path
) -> None:
    installed = shutil.which("flyte-sidecar", path=user["PATH"])
    assert installed is not None
    settings = {"python.path": str(Path(installed).with_name("python"))}
    (project / ".vscode").mkdir()
    (project / ".vscode" / "settings.json").write_text(json.dumps(settings))
    window = open_window(UNTRUSTED, PATH=os.defpath)
    window.show_events()
    expect(window.welcome).to_contain_text("The server is not installed")
    window.welcome.get_by_text("trust the workspace").click()
    window.page.get_by_role("button", name="Trust", exact=True).click()
    expect(window.welcome).to_contain_text("No Flyte run is waiting")
