"""The checks and tests of the extension for VS Code, and the contents of its package."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.clients.conftest import BUILD_SECONDS
from tests.conftest import needs, run
from tests.editors.vscode.conftest import EXTENSION, vsix

__all__ = ["vsix"]

pytestmark = pytest.mark.timeout(BUILD_SECONDS)

MAX_PACKAGE_BYTES = 1_000_000
FILES = {
    "LICENSE.txt",
    "dist/ThirdPartyNotices.txt",
    "dist/extension.js",
    "media/activity-bar.svg",
    "media/icon.png",
    "package.json",
    "readme.md",
    "walkthrough/answer.md",
    "walkthrough/install.md",
    "walkthrough/wait.md",
}


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_extension_passes_its_own_checks_and_tests(script: str, vsix: Path) -> None:
    done = run(needs("npm"), "run", script, env=dict(os.environ), cwd=EXTENSION)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_contains_one_bundle_and_no_dependencies(vsix: Path) -> None:
    assert vsix.stat().st_size < MAX_PACKAGE_BYTES
    with ZipFile(vsix) as package:
        names = [name.partition("extension/")[2] for name in package.namelist()]
    files = {name for name in names if name and not name.startswith("images/")}
    assert files == FILES


def test_the_bundle_imports_only_vs_code_and_node(vsix: Path) -> None:
    with ZipFile(vsix) as package:
        bundle = package.read("extension/dist/extension.js").decode()
    builtins = json.loads(
        subprocess.check_output(
            [needs("node"), "-p", "JSON.stringify(require('module').builtinModules)"]
        )
    )
    imported = set(re.findall(r'\brequire\("([^"]*)"\)', bundle))
    assert "vscode" in imported
    assert {name.removeprefix("node:") for name in imported} - {"vscode"} <= set(builtins)


def test_the_page_of_the_extension_shows_only_packaged_pictures(vsix: Path) -> None:
    with ZipFile(vsix) as package:
        page = package.read("extension/readme.md").decode()
        packaged = {name.partition("extension/")[2] for name in package.namelist()}
    shown = set(re.findall(r"clients/vscode/(images/[\w-]+\.png)", page))
    assert {name for name in packaged if name.startswith("images/")} == shown
