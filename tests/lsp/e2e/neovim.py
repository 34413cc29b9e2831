"""Neovim in a terminal, with the plugin as a plugin manager installs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, TEST_TIMEOUT, needs
from tests.lsp.e2e.page import LINE, blocks
from tests.terminal import Terminal

KEYS_AND_STATUSLINE = blocks("neovim", "lua")[1]
PLUGIN = ROOT / "clients" / "neovim"


def install_plugin(user: Mapping[str, str]) -> None:
    """Install the plugin as a package of a user, with its help."""
    package = Path(user["XDG_DATA_HOME"], "nvim", "site", "pack", "flyte", "start")
    shutil.copytree(PLUGIN, package / "flyte-sidecar")
    helptags = ("--headless", "--clean", f"+helptags {package / 'flyte-sidecar' / 'doc'}", "+quit")
    subprocess.run([needs("nvim", (0, 11)), *helptags], env=dict(user), check=True)


class Neovim(Terminal):
    """Neovim on `workflow.py`, with the cursor in the line of the declaration."""

    def __init__(
        self,
        user: Mapping[str, str],
        project: Path,
        more_lua: str = "",
        arguments: Sequence[str] = (f"+{LINE}", "workflow.py"),
    ) -> None:
        self._nvim = needs("nvim", (0, 11))
        self._user = user
        self._socket = project / "nvim.sock"
        install_plugin(user)
        config = Path(user["XDG_CONFIG_HOME"], "nvim", "init.lua")
        config.parent.mkdir(parents=True)
        config.write_text(KEYS_AND_STATUSLINE + more_lua)
        command = [self._nvim, "--listen", self._socket, "-n", *arguments]
        super().__init__(command, {**user, "LOGNAME": "operator"}, project)

    def lua(self, expression: str) -> Any:
        """Return the value of a Lua expression in the running Neovim."""
        remote = f"json_encode(luaeval({json.dumps(expression)}))"
        done = subprocess.run(
            [self._nvim, "--server", str(self._socket), "--remote-expr", remote],
            env=dict(self._user),
            capture_output=True,
            text=True,
            timeout=TEST_TIMEOUT,
            check=True,
        )
        return json.loads(done.stdout)

    def until(self, condition: str) -> None:
        """Wait until a Lua expression is true."""
        assert self.lua(
            f"vim.wait({TEST_TIMEOUT * 1000:.0f}, function() return {condition} end)"
        ), self.text

    def command(self, command: str) -> None:
        """Type a command of the command line."""
        self.type(f":{command}\r")
