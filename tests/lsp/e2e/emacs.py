"""Emacs in a terminal, with the configuration of the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.conftest import needs
from tests.lsp.e2e.page import LINE, example
from tests.lsp.e2e.terminal import Terminal

EARLY = """
(setq inhibit-startup-screen t
      native-comp-deferred-compilation nil
      suggest-key-bindings nil)  ; a hint that disappears again
"""


class Emacs(Terminal):
    """Emacs on `workflow.py`, with point in the line of the declaration."""

    def __init__(self, user: Mapping[str, str], project: Path) -> None:
        emacs = needs("emacs", (28, 2))
        config = Path(user["HOME"], ".emacs.d")
        config.mkdir()
        (config / "early-init.el").write_text(EARLY)
        (config / "init.el").write_text(example("Emacs", "elisp"))
        super().__init__([emacs, "-nw", f"+{LINE}", "workflow.py"], user, project)

    def command(self, command: str) -> None:
        """Run a command by its name."""
        self.type(f"\x1bx{command}\r")

    def abort(self, prompt: str) -> None:
        """Leave a prompt, and wait until it has disappeared."""
        self.type("\x1d")  # C-]: unlike C-g it is no signal, which Emacs may miss
        self.wait(lambda screen: prompt not in screen)
