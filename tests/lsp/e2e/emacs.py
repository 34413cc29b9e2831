"""Emacs in a terminal, with the configuration of the documentation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.conftest import needs, run, skip_or_fail
from tests.lsp.e2e.page import LINE, blocks
from tests.terminal import Terminal

EARLY = """
(setq inhibit-startup-screen t
      native-comp-deferred-compilation nil
      suggest-key-bindings nil)  ; a hint that disappears again
"""

EGLOT, EGLOT_SETTINGS, LSP_MODE, LSP_MODE_SETTINGS = blocks("emacs", "elisp")


@cache
def needs_library(library: str) -> str:
    """Return the path of Emacs; if a library is not installed, skip or fail the test."""
    emacs = needs("emacs", (28, 2))
    load = ("--batch", "--funcall", "package-initialize", "--eval", f"(require '{library})")
    if run(emacs, *load, env=dict(os.environ)).returncode != 0:
        skip_or_fail(f"{library} is not installed")
    return emacs


class Emacs(Terminal):
    """Emacs on `workflow.py`, with point in the line of the declaration."""

    def __init__(self, user: Mapping[str, str], project: Path, library: str, init: str) -> None:
        emacs = needs_library(library)
        config = Path(user["HOME"], ".emacs.d")
        config.mkdir()
        (config / "early-init.el").write_text(EARLY)
        (config / "init.el").write_text(init)
        super().__init__([emacs, "-nw", f"+{LINE}", "workflow.py"], user, project)

    def command(self, command: str) -> None:
        """Run a command by its name."""
        self.type(f"\x1bx{command}\r")

    def abort(self, prompt: str) -> None:
        """Leave a prompt, and wait until it has disappeared."""
        self.type("\x1d")  # C-]: unlike C-g it is no signal, which Emacs may miss
        self.wait(lambda screen: prompt not in screen)
