"""Emacs with eglot, in front of a run that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.lsp.e2e.captures import check_capture
from tests.lsp.e2e.conftest import Environment, StartRun
from tests.lsp.e2e.emacs import EGLOT, EGLOT_SETTINGS, Emacs
from tests.lsp.e2e.page import WORKFLOW

pytestmark = pytest.mark.posix

Start = Callable[..., Emacs]


@pytest.fixture
def start(user: Environment, project: Path) -> Iterator[Start]:
    """Start Emacs, and wait for its connection to the language server."""
    with ExitStack() as stack:

        def start(settings: str = "") -> Emacs:
            emacs = stack.enter_context(closing(Emacs(user, project, "eglot", EGLOT + settings)))
            emacs.wait_for("[eglot:project]")
            return emacs

        yield start


def open_code_actions(emacs: Emacs) -> None:
    """Request the code actions until a run waits."""
    while True:
        emacs.command("eglot-code-actions")
        emacs.wait(lambda screen: "Pick an action" in screen or "No code actions" in screen)
        if "Pick an action" in emacs.text:
            return
        emacs.command("ignore")  # clears the message
        emacs.wait(lambda screen: "No code actions" not in screen)


def test_a_code_action_answers_the_run(start: Start, start_run: StartRun) -> None:
    run = start_run()
    emacs = start()
    open_code_actions(emacs)
    emacs.type("\t")  # lists the actions
    emacs.wait_for("Reject")
    check_capture("emacs-actions", emacs, first="Possible completions")
    emacs.type("Approve\r")
    assert run.answer() is True


def test_a_text_answers_a_run_that_the_settings_select(start: Start, start_run: StartRun) -> None:
    start_run("weekly", expectedType="float")
    run = start_run("nightly-1", expectedType="float")
    emacs = start(EGLOT_SETTINGS)
    open_code_actions(emacs)
    emacs.type("Answer…\r")
    emacs.wait_for("Answer:")
    emacs.type("0.5\r")
    assert run.answer() == 0.5


def test_a_question_is_answered_by_an_option_but_not_by_return(
    start: Start, start_run: StartRun
) -> None:
    earlier = start_run("weekly")  # waits already when the editor is started: no question
    emacs = start()
    open_code_actions(emacs)
    emacs.abort("Pick an action")

    first = start_run()
    emacs.wait(lambda screen: "nightly asks" in screen and "option: Not now" in screen)
    check_capture("emacs-question", emacs)
    emacs.type("\r")
    emacs.wait(lambda screen: "Choose an option" not in screen)

    second = start_run("nightly-2")
    emacs.wait_for("option: Not now")
    emacs.type("Approve\r")  # after the default, which the person has not deleted
    emacs.wait_for("No match")
    emacs.type("\x01\x0bReject nightly-2\r")  # C-a C-k
    assert second.answer() is False
    assert earlier.pending()
    assert first.pending()


def test_mistakes_are_listed(start: Start, project: Path) -> None:
    twice = WORKFLOW.replace("    return", '    flyte.new_condition("deploy")\n    return')
    (project / "workflow.py").write_text(twice)
    emacs = start()
    emacs.wait(lambda screen: "Flymake[0 0]" not in screen)
    emacs.command("flymake-show-buffer-diagnostics")
    emacs.wait_for("duplicate-name")
    check_capture("emacs-diagnostics", emacs, first="Line Col")
