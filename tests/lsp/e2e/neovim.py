"""Neovim in a terminal, with the configuration of the documentation."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import TEST_TIMEOUT, needs
from tests.lsp.e2e.page import LINE, blocks
from tests.terminal import Terminal


class Neovim(Terminal):
    """Neovim on `workflow.py`, with the cursor in the line of the declaration."""

    def __init__(self, user: Mapping[str, str], project: Path, more_lua: str = "") -> None:
        self._nvim = needs("nvim", (0, 11))
        self._user = user
        self._socket = project / "nvim.sock"
        config = Path(user["XDG_CONFIG_HOME"], "nvim", "init.lua")
        config.parent.mkdir(parents=True)
        config.write_text(blocks("neovim", "lua")[0] + more_lua)
        command = [self._nvim, "--listen", self._socket, "-n", f"+{LINE}", "workflow.py"]
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
