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

from tests.conftest import TEST_TIMEOUT, run
from tests.editors.vscode.install import Installation

LISTENING = "HTTP server listening on "
FLAGS = ("--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-proxy")
FLAGS += ("--disable-getting-started-override", "--bind-addr", "127.0.0.1:0")
NO_MARKETPLACE = {"EXTENSIONS_GALLERY": "{}"}

SETTINGS = {
    "chat.disableAIFeatures": True,
    "security.workspace.trust.enabled": False,
    "window.menuBarVisibility": "compact",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
}


class CodeServer:
    """VS Code for browsers. It and its extensions run with the environment of the user."""

    def __init__(
        self,
        installation: Installation,
        extensions: Path,
        folder: Path,
        env: Mapping[str, str],
        settings: Mapping[str, Any],
    ) -> None:
        folder.mkdir()
        self._settings = folder / "User" / "settings.json"
        self._settings.parent.mkdir()
        self.configure(settings)
        self._log = folder / "log"
        folders = ("--user-data-dir", folder, "--extensions-dir", extensions)
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                [installation.node, installation.entry, *FLAGS, *folders],
                env={**env, **NO_MARKETPLACE},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._address = self._wait_for_address()

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the user's settings, which VS Code applies immediately."""
        self._settings.write_text(json.dumps({**SETTINGS, **settings}))

    def url(self, folder: Path) -> str:
        """Return the address of a window with a folder."""
        return f"{self._address}?folder={quote(str(folder))}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        """Kill VS Code and its extensions. They would wait for windows to reconnect."""
        os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def _wait_for_address(self) -> str:
        deadline = time.monotonic() + TEST_TIMEOUT
        while LISTENING not in self.log:
            assert self._popen.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return self.log.split(LISTENING)[1].split()[0]


def install_extension(installation: Installation, vsix: Path, extensions: Path) -> None:
    """Install an extension as a user does."""
    command = (installation.node, installation.entry, "--extensions-dir", extensions)
    done = run(*command, "--install-extension", vsix, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
