"""The configuration of editors that no test runs: that it can be read, and starts the server."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.lsp.source.parser import SourceFile
from flyte_sidecar.lsp.source.text import SourceText
from tests.conftest import ROOT, needs, run
from tests.docs.blocks import claim
from tests.lsp.e2e.page import PAGES, blocks

COMMAND = ["flyte-sidecar", "--stdio"]
OVERVIEW = (ROOT / "docs" / "language-server.md").read_text()

RECORD = """
let g:servers = []
function! LspAddServer(servers) abort
  call extend(g:servers, a:servers)
endfunction
function! lsp#register_server(server) abort
  call add(g:servers, a:server)
endfunction
"""
"""The functions of the plugins that the examples for Vim call."""


def only_json(editor: str, number: int = 0) -> Any:
    return json.loads(blocks(editor, "json")[number])


def coc() -> tuple[list[str], Any]:
    server = only_json("vim")["languageserver"]["flyte-sidecar"]
    assert server["filetypes"] == ["python"]
    return [server["command"], *server["args"]], server["settings"]


def helix() -> tuple[list[str], Any]:
    [text] = blocks("helix", "toml")
    config = tomllib.loads(text)
    server = config["language-server"]["flyte-sidecar"]
    assert "flyte-sidecar" in config["language"][0]["language-servers"]
    return [server["command"], *server["args"]], server["config"]


def kate() -> tuple[list[str], Any]:
    server = only_json("kate")["servers"]["python"]
    return server["command"], server["settings"]


def sublime() -> tuple[list[str], Any]:
    server = only_json("sublime")["flyte-sidecar"]
    return server["command"], server["settings"]


def zed() -> tuple[list[str], Any]:
    config = only_json("zed")
    [server] = config["lsp"].values()
    assert config["languages"]["Python"]["language_servers"] == [*config["lsp"], "..."]
    path = Path(server["binary"]["path"])
    assert path.is_absolute()
    return [path.name, *server["binary"]["arguments"]], server["initialization_options"]


def jetbrains() -> tuple[list[str], Any]:
    template = only_json("jetbrains", 1)
    assert template["fileTypeMappings"][0]["languageId"] == "python"
    return template["programArgs"]["default"].split(), only_json("jetbrains")


@pytest.mark.parametrize("config", [coc, helix, kate, sublime, zed, jetbrains])
def test_the_configuration_starts_the_server_with_settings(
    config: Callable[[], tuple[list[str], Any]],
) -> None:
    command, settings = config()
    assert command == COMMAND
    assert settings in ({"flyteSidecar": {"asking": True}}, {"flyteSidecar.asking": True})


VIM_KEYS, *VIM_PLUGINS = blocks("vim", "vim")


def test_vim_reads_the_keys(tmp_path: Path) -> None:
    (tmp_path / "vimrc").write_text(f"{VIM_KEYS}if maparg('grl', 'n') ==# '' | cquit | endif\n")
    arguments = ("-u", "NONE", "-N", "-es", "-S", tmp_path / "vimrc", "-c", "qall!")
    assert run(needs("vim", (9, 0)), *arguments, env=dict(os.environ)).returncode == 0


@pytest.mark.parametrize("lua", blocks("neovim", "lua"))
def test_neovim_reads_the_configuration(lua: str, tmp_path: Path) -> None:
    is_table = lua.startswith("{")
    (tmp_path / "init.lua").write_text(f"return {lua}" if is_table else lua)
    done = run(needs("nvim", (0, 11)), "-l", tmp_path / "init.lua", env=dict(os.environ))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", VIM_PLUGINS)
def test_vim_reads_the_configuration_of_a_plugin(script: str, tmp_path: Path) -> None:
    vim = needs("vim", (9, 0))
    script = script.replace("packadd lsp\n", "")
    written = tmp_path / "servers.json"
    show = f"call writefile([json_encode(g:servers)], '{written}')"
    (tmp_path / "autoload").mkdir()
    (tmp_path / "autoload" / "lsp.vim").write_text(RECORD)
    lines = [f"set runtimepath^={tmp_path}", "runtime autoload/lsp.vim", script]
    (tmp_path / "vimrc").write_text("\n".join([*lines, "silent! doautocmd User lsp_setup", show]))
    arguments = ("-u", tmp_path / "vimrc", "-N", "-es", "-c", "qall!")
    done = run(vim, *arguments, env=dict(os.environ), cwd=tmp_path)
    [server] = json.loads(written.read_text())
    assert (done.returncode, done.stderr) == (0, "")
    command = server.get("cmd") or [server["path"], *server["args"]]
    assert command == COMMAND
    settings = server.get("workspace_config") or server["workspaceConfig"]
    assert settings == {"flyteSidecar": {"asking": False}}


[WALKTHROUGH] = claim("clients/vscode/walkthrough/wait.md", "python")


def test_the_task_of_the_walkthrough_has_the_lenses_that_it_describes() -> None:
    code = f"import flyte\nenv = flyte.TaskEnvironment(name='training')\n{WALKTHROUGH.text}"
    parsed = SourceFile(SourceText(code)).snapshot().parse()
    assert [declaration.name for declaration in parsed.declarations] == ["deploy"]
    assert [task.name for task in parsed.runnable_tasks] == ["release"]


def test_the_overview_has_every_page() -> None:
    names = {path.stem for path in PAGES}
    assert set(re.findall(r"^\| \[[^\]]+\]\(editors/(\w+)\.md\)", OVERVIEW, re.M)) == names


def test_what_was_not_tried_is_marked() -> None:
    untried = {path.stem for path in PAGES if "Not tried: " in path.read_text()}
    rows = re.findall(r"^\| \[[^\]]+\]\(editors/(\w+)\.md\).* \| not tried \|", OVERVIEW, re.M)
    assert untried == set(rows) == {"jetbrains", "sublime", "zed"}
