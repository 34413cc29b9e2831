"""A code-server process of a user with a home folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from tests.conftest import TEST_TIMEOUT, run
from tests.editors.vscode.install import Installation

LISTENING = "HTTP server listening on "
FLAGS = ("--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-proxy")
FLAGS += ("--disable-getting-started-override", "--bind-addr", "127.0.0.1:0")
ENVIRONMENT = {
    "EXTENSIONS_GALLERY": "{}",  # no marketplace
    "VSCODE_CLI": "1",  # started from a shell, so that PATH is that of the test
}

SETTINGS = {
    "chat.disableAIFeatures": True,
    "remote.autoForwardPorts": False,
    "security.workspace.trust.enabled": False,
    "terminal.integrated.gpuAcceleration": "off",  # so that its text is in the page
    "window.menuBarVisibility": "compact",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
}


class CodeServer:
    """VS Code for browsers. It and its extensions run with the environment of the user."""

    def __init__(
        self, installation: Installation, extensions: Path, folder: Path, env: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._log = folder / "log"
        folders = ("--user-data-dir", folder, "--extensions-dir", extensions)
        self._command = (installation.node, installation.entry, *FLAGS, *folders)
        self._env = {**env, **ENVIRONMENT}
        self._popen: subprocess.Popen[bytes] | None = None
        self._address = ""

    @property
    def running(self) -> bool:
        return self._popen is not None

    def start(self, settings: Mapping[str, Any], env: Mapping[str, str]) -> None:
        """Start VS Code with settings of the user and more variables."""
        user = self._folder / "User"
        user.mkdir(parents=True)
        (user / "settings.json").write_text(json.dumps({**SETTINGS, **settings}))
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                self._command,
                env={**self._env, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + TEST_TIMEOUT
        while LISTENING not in (text := self._log.read_text()):
            assert self._popen.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.02)
        self._address = text.split(LISTENING)[1].split()[0]

    def url(self, folder: Path) -> str:
        """Return the address of a window with a folder."""
        return f"{self._address}?folder={quote(str(folder))}"

    @property
    def sidecars(self) -> list[psutil.Process]:
        """The servers that the extension has started."""
        assert self._popen is not None
        children = psutil.Process(self._popen.pid).children(recursive=True)
        return [child for child in children if child.cmdline()[-1:] == ["--stdio"]]

    def close(self) -> None:
        """Kill VS Code and its extensions. They would wait for windows to reconnect."""
        if self._popen is not None:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()


def install_extension(installation: Installation, vsix: Path, extensions: Path) -> None:
    """Install an extension as a user does."""
    command = (installation.node, installation.entry, "--extensions-dir", extensions)
    done = run(*command, "--install-extension", vsix, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
