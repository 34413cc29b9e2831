"""The plugin for Neovim, as a person uses it."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flyte_sidecar._version import VERSION
from tests.conftest import TEST_TIMEOUT, needs, run
from tests.lsp.e2e.captures import check_capture
from tests.lsp.e2e.conftest import Environment, StartNeovim, StartRun
from tests.lsp.e2e.neovim import PLUGIN, Neovim

pytestmark = pytest.mark.posix

HOSTILE = (
    "Which one? 100% %{evil}\x1b[31m\n2: Approve\u202e\n\nvim: set filetype=lua :\n" + 900 * "x"
)


READY = """
vim.iter(vim.lsp.get_clients()):any(function(client)
  return require('flyte_sidecar.events').state(client.id).phase == 'ready'
end)
"""
"""The server knows the events."""


def test_a_run_that_starts_to_wait_is_announced_and_answered_from_the_list(
    start_neovim: StartNeovim, start_run: StartRun
) -> None:
    neovim = start_neovim()
    neovim.until(READY)
    nightly = start_run()
    neovim.wait_for("(:FlyteEvents)")
    check_capture("neovim-statusline", neovim)

    neovim.type("A# ")
    start_run("hourly", prompt="Continue?").signal(True)
    start_run("weekly", name="threshold", expectedType="int", prompt="Which threshold?")
    neovim.wait_for("flyte 2")
    neovim.type("2 runs\x1b")  # no key is taken
    neovim.wait_for("new_condition(# 2 runs")
    neovim.wait_for("weekly asks: Which threshold? (threshold) (:FlyteEvents)")
    neovim.command("FlyteEvents answer nightly/deploy")
    neovim.wait_for("No waiting event matches.")
    assert "hourly" not in neovim.lua("vim.fn.execute('messages')")

    neovim.command("FlyteEvents")
    neovim.wait_for("Type number")
    check_capture("neovim-events", neovim, first="Waiting events:")
    neovim.type("1\r")
    neovim.wait_for("5: Copy id")
    check_capture("neovim-actions", neovim, first="to **production**?:")
    neovim.type("1\r")
    assert nightly.answer() is True
    neovim.wait_for("approved by operator")
    neovim.wait_for("flyte 1")
    assert neovim.lua("vim.fn.mode()") == "n"


def test_an_answer_of_the_wrong_type_is_asked_again_with_what_was_typed(
    start_neovim: StartNeovim, start_run: StartRun
) -> None:
    neovim = start_neovim()
    run = start_run("weekly", name="threshold", expectedType="int", prompt=HOSTILE)
    neovim.wait_for("flyte 1")
    neovim.command("FlyteEvents")
    neovim.wait_for("Type number")
    row = next(line for line in neovim.lines if line.startswith("1: "))
    assert row.startswith("1: weekly/threshold · Which one? 100% %{evil} [31m 2: Approve vim:")
    assert row.endswith("…")
    neovim.type("q")
    neovim.command("FlyteEvents answer weekly/threshold")
    neovim.wait_for("weekly/threshold · Which one?")
    neovim.type("0.5\r")
    neovim.wait_for("The event expects a whole number")
    check_capture("neovim-answer", neovim, first="The event expects")
    assert run.pending()
    neovim.type("\x08\x08\x083\r")
    assert run.answer() == 3


def test_no_file_has_to_be_open(start_neovim: StartNeovim, start_run: StartRun) -> None:
    neovim = start_neovim(arguments=())
    nightly = start_run()
    start_run("weekly", name="elsewhere", prompt="Continue?")
    assert neovim.lua("require('flyte_sidecar').statusline()") == ""
    neovim.command("FlyteEvents quickfix")
    neovim.wait_for("[Quickfix List] Waiting events")
    check_capture("neovim-quickfix", neovim, first="[No Name]")
    assert neovim.lua("require('flyte_sidecar').statusline()") == "flyte 2"
    waiting = "require('flyte_sidecar.events').waiting()"
    assert neovim.lua(f"rawequal({waiting}, {waiting})")  # statuslines are drawn at each key
    assert neovim.lua("vim.fn.getcompletion('FlyteEvents a', 'cmdline')") == [
        *("abort", "answer", "approve")
    ]
    events = neovim.lua("vim.fn.getcompletion('FlyteEvents show ', 'cmdline')")
    assert events == ["nightly/deploy", "weekly/elsewhere"]

    neovim.command("cclose | FlyteEvents show nightly/deploy")
    neovim.wait_for("> Deploy the model to production?")
    neovim.type("\x1b:FlyteEvents approve nightly/deploy\r")
    assert nightly.answer() is True
    start_run("yearly", name="hostile", prompt=HOSTILE)
    neovim.wait_for("yearly asks: Which one? 100% %{evil}")
    neovim.command("FlyteEvents show yearly/hostile")
    neovim.wait_for("> Which one? 100% %{evil}")
    neovim.command("FlyteEvents abort weekly/elsewhere")
    neovim.wait_for("Reason (optional):")
    neovim.type("wrong 100%\r")
    neovim.wait_for("elsewhere of run weekly was aborted at")
    neovim.command("FlyteEvents approve weekly/elsewhere")
    neovim.wait_for("No waiting event matches.")


def sidecars(neovim: Neovim) -> list[psutil.Process]:
    """Return the processes that Neovim has started."""
    return psutil.Process(neovim.lua("vim.fn.getpid()")).children(recursive=True)


def test_a_server_that_is_killed_is_started_again_for_the_open_files(
    start_neovim: StartNeovim, start_run: StartRun
) -> None:
    neovim = start_neovim()
    start_run()
    neovim.wait_for("flyte 1")
    neovim.command("tabnew workflow.py")
    neovim.command("echo 'opened'")
    neovim.wait_for("opened")
    [first] = sidecars(neovim)
    first.kill()
    neovim.wait_for("quit with exit code 0 and signal 9")
    neovim.type("\r")
    neovim.wait(lambda screen: "flyte 1" not in screen)
    neovim.command("FlyteEvents")
    neovim.wait_for("1: nightly/deploy")
    neovim.type("q\r")
    neovim.wait_for("flyte 1")
    neovim.until("#vim.lsp.get_clients({ bufnr = 0 }) == 1")
    [second] = sidecars(neovim)
    editor = psutil.Process(neovim.lua("vim.fn.getpid()"))
    neovim.command("qa")
    assert psutil.wait_procs([editor, second], timeout=TEST_TIMEOUT)[1] == []


def script(folder: Path, name: str, text: str) -> None:
    """Write a shell script that is found on PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_uvx_runs_a_server_that_is_not_installed_if_the_person_agrees(
    start_neovim: StartNeovim, start_run: StartRun, user: Environment, tmp_path: Path
) -> None:
    start_run()
    sidecar = shutil.which("flyte-sidecar", path=user["PATH"])
    tools = tmp_path / "tools"
    arguments = f"--from flyte-sidecar[flyte]=={VERSION} flyte-sidecar"
    script(tools, "uvx", f'test "$*" = "{arguments} --stdio" && exec {sidecar} --stdio')
    neovim = start_neovim(env={"PATH": f"{tools}:/usr/bin:/bin"})
    neovim.wait_for("flyte-sidecar was not found. (:checkhealth flyte_sidecar)")
    neovim.command("FlyteEvents")
    neovim.wait_for(f"Run `uvx {arguments}`?")
    check_capture("neovim-uvx", neovim, first="flyte-sidecar was not found.")
    neovim.type("y")
    neovim.wait_for("1: nightly/deploy")
    neovim.type("q")
    neovim.command("checkhealth flyte_sidecar")
    neovim.wait_for("(uvx, as you have accepted)")
    neovim.wait_for("Client 1 is ready: 1 waiting")


def shows(text: str) -> Callable[[str], bool]:
    """Return a condition: the screen shows a text, which Neovim may have wrapped."""
    return lambda screen: text in " ".join(screen.split())


def test_the_command_in_the_plugin_is_used_before_path(
    start_neovim: StartNeovim, start_run: StartRun, user: Environment, tmp_path: Path
) -> None:
    start_run()
    script(tmp_path / "tools", "flyte-sidecar", "exit 3")
    neovim = start_neovim(arguments=(), env={"PATH": f"{tmp_path / 'tools'}:/usr/bin:/bin"})
    package = Path(user["XDG_DATA_HOME"], "nvim", "site", "pack", "flyte", "start")
    sidecar = shutil.which("flyte-sidecar", path=user["PATH"])
    bundled = package / "flyte-sidecar" / "bundled" / "bin"
    bundled.parent.mkdir()
    script(bundled, "flyte-sidecar", f'exec {sidecar} "$@"')
    neovim.command("checkhealth flyte_sidecar")
    neovim.wait(shows("(the folder of the plugin)"))
    neovim.command("FlyteEvents")
    neovim.wait_for("1: nightly/deploy")


def test_all_that_was_tried_is_reported_if_there_is_no_command(
    start_neovim: StartNeovim, project: Path
) -> None:
    script(project, "flyte-sidecar", "exit 3")  # the current folder is never searched
    neovim = start_neovim(arguments=(), env={"PATH": ".::/usr/bin:/bin"})
    neovim.command("checkhealth flyte_sidecar")
    tried = "FLYTE_SIDECAR (not set), "
    path = "folders of PATH (.::/usr/bin:/bin)"
    for text in ("ERROR flyte-sidecar was not found.", "Install it with", tried, path):
        neovim.wait(shows(text))


SILENT = """
vim.lsp.config('flyte_sidecar', {
  cmd = function(dispatchers) return vim.lsp.rpc.start({ 'sh', '-c', 'cat >&2' }, dispatchers) end,
})
"""
"""A server of the person's own, which never answers."""


def test_text_is_typed_while_a_server_does_not_answer(start_neovim: StartNeovim) -> None:
    neovim = start_neovim(SILENT, env={"PATH": "/usr/bin:/bin"})
    neovim.command("FlyteEvents")
    neovim.type("A# typed\x1b")
    neovim.wait_for("# typed")
    assert "flyte-sidecar has not reported the events yet." not in neovim.text


def test_the_help_and_the_state_can_be_read(start_neovim: StartNeovim) -> None:
    neovim = start_neovim(env={"FLYTE_SIDECAR": "missing"})
    neovim.wait_for("FLYTE_SIDECAR is no program: missing (:checkhealth flyte_sidecar)")
    neovim.command("FlyteEvents")
    neovim.wait_for("Install it with `uv tool install")
    neovim.type("\r")
    neovim.command("checkhealth flyte_sidecar")
    neovim.wait_for("ERROR FLYTE_SIDECAR is no program: missing")
    neovim.command("quit | help :FlyteEvents")
    neovim.wait_for("List the waiting events with vim.ui.select()")
    documented = (PLUGIN / "doc" / "flyte-sidecar.txt").read_text()
    for subcommand in neovim.lua("vim.fn.getcompletion('FlyteEvents ', 'cmdline')"):
        assert re.search(rf"^( +|:FlyteEvents ){subcommand}\b", documented, re.M), subcommand


def test_the_plugin_is_small() -> None:
    files = PLUGIN.rglob("*.lua")
    assert sum(len(file.read_text().splitlines()) for file in files) < 550


def test_the_lua_code_has_no_warnings(user: Environment) -> None:
    done = run(needs("luacheck"), "--no-color", ".", env=user, cwd=PLUGIN)
    assert done.returncode == 0, done.stdout
