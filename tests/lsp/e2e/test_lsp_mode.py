"""Emacs with lsp-mode, in front of a run that waits and with another server on the file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.lsp.e2e.captures import check_capture
from tests.lsp.e2e.conftest import Environment, StartRun
from tests.lsp.e2e.emacs import LSP_MODE, LSP_MODE_SETTINGS, Emacs

pytestmark = pytest.mark.posix

OTHER_SERVER = """
(setq lsp-auto-guess-root t  ; asks for no folder
      lsp-headerline-breadcrumb-enable nil)
(lsp-register-client
 (make-lsp-client
  :server-id 'ruff
  :new-connection (lsp-stdio-connection '("ruff" "server"))
  :activation-fn (lsp-activate-on "python")))
"""


def test_lenses_and_texts_answer_beside_another_server(
    user: Environment, project: Path, start_run: StartRun
) -> None:
    weekly = start_run("weekly")
    first = start_run("nightly-1")
    init = OTHER_SERVER + LSP_MODE + LSP_MODE_SETTINGS
    with closing(Emacs(user, project, "lsp-mode", "(require 'lsp-mode)" + init)) as emacs:
        emacs.wait_for("1 waiting")
        emacs.command("lsp-execute-code-action")
        emacs.wait_for("Select code action")
        emacs.type("Approve")
        check_capture("emacs-lsp-mode", emacs)
        emacs.type("\r")
        assert first.answer() is True

        second = start_run("nightly-2", expectedType="int")  # no question, by the settings
        emacs.wait_for("Answer…")
        for text in ("x", "12"):
            emacs.command("lsp-execute-code-action")
            emacs.wait_for("Select code action")
            emacs.type("Answer\t\r")
            emacs.wait_for("Answer:")
            emacs.type(f"{text}\r")
            if text == "x":
                emacs.wait_for("Nothing was changed: the event expects a whole number")
                assert second.pending()
        assert second.answer() == 12
        emacs.command("view-echo-area-messages")
        emacs.wait_for("nightly-2 was answered")
        assert "Ruff encountered a problem" not in emacs.text
        assert "Unknown" not in emacs.text
    assert weekly.pending()
