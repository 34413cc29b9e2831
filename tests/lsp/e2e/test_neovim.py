"""Neovim, in front of a run that waits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.deployment import SCOPE, scoped_options
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.lsp.e2e.captures import check_capture
from tests.lsp.e2e.conftest import StartNeovim, StartProcess, StartRun
from tests.lsp.e2e.page import WORKFLOW
from tests.lsp.e2e.waiting_run import WaitingRun

pytestmark = pytest.mark.posix

NO_QUESTIONS = """
vim.lsp.config('flyte_sidecar', { settings = { flyteSidecar = { asking = false } } })
"""
COUNTED = """
vim.api.nvim_create_autocmd('LspRequest', {
  callback = function(event)
    local request = event.data.request
    if request.method == 'textDocument/codeLens' and request.type == 'complete' then
      refreshed = (refreshed or 0) + 1
    end
  end,
})
"""
"""Counts how often lenses were refreshed."""

LENS = re.compile(r"new_condition\( +1 waiting · since \d\d:\d\d \| Approve \| Reject$", re.M)


def test_a_lens_appears_when_a_run_waits_and_answers_it(
    start_neovim: StartNeovim, start_run: StartRun
) -> None:
    neovim = start_neovim(NO_QUESTIONS)
    run = start_run()
    neovim.wait(LENS.search)
    check_capture("neovim-lens", neovim)
    neovim.type("fnK")
    check_capture("neovim-hover", neovim)
    neovim.type("grx")
    neovim.wait_for("2: Approve")
    neovim.type("2\r")
    assert run.answer() is True
    neovim.type("l")  # closes the hover
    neovim.wait(lambda screen: "waiting" not in screen)
    neovim.type("K")
    check_capture("neovim-answered", neovim)


def test_the_lenses_of_several_runs_are_shown_in_order(
    start_neovim: StartNeovim, start_run: StartRun
) -> None:
    for run in ("b", "a"):
        start_run(run)
    neovim = start_neovim(NO_QUESTIONS)
    neovim.wait(re.compile(r"2 waiting · since \d\d:\d\d \| Approve b \| Reject b \| App").search)


def test_a_lens_stays_with_its_line_when_the_text_changes_during_a_refresh(
    start_neovim: StartNeovim, start_run: StartRun
) -> None:
    neovim = start_neovim(NO_QUESTIONS + COUNTED)
    start_run()
    neovim.wait(LENS.search)
    change = "vim.api.nvim_buf_set_lines(0, 0, 0, true, { '# first' })"
    neovim.command(f"lua vim.lsp.codelens.refresh({{ bufnr = 0 }}); {change}; refreshed = 0")
    neovim.wait_for("# first")
    neovim.until("refreshed >= 2")
    neovim.wait(LENS.search)


def test_a_stale_lens_answers_nothing_and_a_code_action_the_run_that_waits(
    start_neovim: StartNeovim, start_run: StartRun
) -> None:
    neovim = start_neovim(NO_QUESTIONS)
    first = start_run()
    neovim.wait(LENS.search)
    neovim.type("grx")
    neovim.wait_for("3: Reject")
    first.signal(True)
    second = start_run("weekly")
    neovim.type("3\r")
    neovim.wait_for("Nothing was changed")
    check_capture("neovim-stale", neovim, first="Nothing was changed")
    assert second.pending()
    neovim.type("\r")
    neovim.wait(LENS.search)
    neovim.type("gra")
    neovim.wait_for("3: Reject")
    neovim.type("3\r")
    assert second.answer() is False


def test_names_that_match_are_completed_and_lead_to_their_declaration(
    start_neovim: StartNeovim,
) -> None:
    neovim = start_neovim(NO_QUESTIONS)
    neovim.until("#vim.lsp.get_clients({ bufnr = 0 }) == 1")
    neovim.type("Gofrom flyte.remote import Condition\rflyte.new_condition('other')\r")
    neovim.type("Condition.get('d\x18\x0f")  # Ctrl-X Ctrl-O
    neovim.wait_for("get('deploy")
    words = "vim.tbl_map(function(item) return item.word end, vim.fn.complete_info().items)"
    assert neovim.lua(words) == ["deploy"]
    neovim.type("')\x1b3h\x1d")  # Ctrl-]
    neovim.until("vim.fn.line('.') == 8")


def test_mistakes_are_underlined_while_they_exist(start_neovim: StartNeovim, project: Path) -> None:
    twice = WORKFLOW.replace("    return", '    flyte.new_condition("deploy")\n    return')
    (project / "workflow.py").write_text(twice)
    neovim = start_neovim()
    neovim.until("#vim.diagnostic.get(0) == 1")
    [found] = neovim.lua("vim.diagnostic.get(0)")
    assert (found["source"], found["code"]) == ("flyte-sidecar", "duplicate-name")
    assert twice.splitlines()[found["lnum"]].strip() == 'flyte.new_condition("deploy")'
    neovim.command(f"{found['lnum'] + 1}delete")
    neovim.until("#vim.diagnostic.get(0) == 0")


def test_a_lens_answers_a_run_of_a_flyte_deployment(
    start_neovim: StartNeovim, start_process: StartProcess
) -> None:
    with Server(Model("2.0.43")) as server:
        options = scoped_options(server.endpoint)
        command = ["flyte-sidecar", "--stdio", *options]
        neovim = start_neovim(
            f"vim.lsp.config('flyte_sidecar', {{ cmd = vim.json.decode('{json.dumps(command)}') }})"
        )
        server.model.start_run("nightly", "training.release", **SCOPE)
        action = server.model.ask("nightly", "deploy", **SCOPE)
        run = WaitingRun(start_process(backend_options=options), "nightly", action)
        neovim.wait(LENS.search)
        neovim.type("grx")
        neovim.wait_for("2: Approve")
        neovim.type("2\r")
        assert run.answer() is True
