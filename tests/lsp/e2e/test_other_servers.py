"""Beside pyright and ruff, in one Neovim and on one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.lsp.e2e.conftest import Environment, StartRun
from tests.lsp.e2e.neovim import Neovim
from tests.lsp.e2e.page import LINE, WORKFLOW
from tests.pyright import pyright

__all__ = ["pyright"]

pytestmark = pytest.mark.posix

MORE_LUA = """
vim.lsp.config('pyright', {
  cmd = { 'pyright-langserver', '--stdio' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml' },
})
vim.lsp.config('ruff', {
  cmd = { 'ruff', 'server' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml' },
})
vim.lsp.enable({ 'pyright', 'ruff' })
vim.lsp.config('flyte_sidecar', { settings = { flyteSidecar = { asking = false } } })

codes = { F401 = true, reportReturnType = true, ['duplicate-name'] = true }
function found(diagnostic) return codes[diagnostic.code] end
"""

# The SDK, as far as pyright needs it.
FLYTE = '''
class Condition:
    def wait(self) -> bool: ...

class TaskEnvironment:
    def __init__(self, name: str) -> None: ...
    def task(self, function): ...

def new_condition(name: str, **options: str) -> Condition:
    """Create a condition."""
'''

# Each server finds something here.
PROBLEMS = """
import os

@env.task
def release_twice(version: str) -> int:
    flyte.new_condition("twice")
    flyte.new_condition("twice")
    return "text"

from flyte.remote import Condition
Condition.get('')
"""


@pytest.fixture
def neovim(user: Environment, project: Path, pyright: Path) -> Iterator[Neovim]:
    (project / "flyte.pyi").write_text(FLYTE)
    (project / "workflow.py").write_text("\n\n" + WORKFLOW + PROBLEMS)
    path = f"{pyright}{os.pathsep}{user['PATH']}"
    with closing(Neovim({**user, "PATH": path}, project, MORE_LUA)) as neovim:
        yield neovim


SERVERS = ["flyte_sidecar", "pyright", "ruff"]
NAMES = "vim.tbl_map(function(client) return client.name end, vim.lsp.get_clients({bufnr=0}))"


def ask_servers(neovim: Neovim, method: str) -> dict[str, Any]:
    """Return the results of a request about the cursor's position, by server."""
    answers: dict[str, Any] = neovim.lua(
        f"""(function()
          local found = {{}}
          local params = vim.lsp.util.make_position_params(0, 'utf-16')
          local answers = vim.lsp.buf_request_sync(0, '{method}', params, 50000)
          for id, answer in pairs(answers) do
            assert(not answer.err, vim.inspect(answer.err))
            found[vim.lsp.get_client_by_id(id).name] = answer.result
          end
          return next(found) and found or vim.empty_dict()
        end)()"""
    )
    return answers


def test_all_servers_work_on_one_file(neovim: Neovim, start_run: StartRun) -> None:
    neovim.wait_for("new_condition")
    run = start_run()
    neovim.until("#vim.lsp.get_clients({ bufnr = 0 }) == 3")

    neovim.until("#vim.tbl_filter(found, vim.diagnostic.get(0)) == 3")
    neovim.until("#vim.lsp.codelens.get(0) == 3")

    assert neovim.lua("vim.fn.search('new_condition')") == LINE + 2
    assert set(ask_servers(neovim, "textDocument/hover")) == {"flyte_sidecar", "pyright"}
    neovim.type("K")
    neovim.wait(lambda screen: "# flyte_sidecar" in screen and "# pyright" in screen)

    assert neovim.lua("vim.fn.search([[get('\\zs']])") > 0
    names = ask_servers(neovim, "textDocument/completion")["flyte_sidecar"]["items"]
    assert {name["label"] for name in names} == {"deploy", "twice"}

    symbols = ask_servers(neovim, "textDocument/documentSymbol")
    found = {server: {symbol["name"] for symbol in each} for server, each in symbols.items()}
    assert found["flyte_sidecar"] == {"deploy", "twice"}
    assert "release" in found["pyright"]
    assert found["flyte_sidecar"].isdisjoint(found["pyright"])

    # The lenses follow the edits of another server: ruff removes the empty lines.
    neovim.command("lua vim.lsp.buf.format({ name = 'ruff' })")
    lens = "vim.lsp.codelens.get(0)[1]"
    neovim.until(f"{lens}.range.start.line == {LINE - 1}")

    assert run.pending()
    assert neovim.lua("vim.fn.execute('messages')") == ""
    log = neovim.lua("vim.fn.readfile(vim.lsp.get_log_path())")
    assert [line for line in log if "flyte" in line] == []
