"""The captures of the pages in docs/editors: what a person sees in an editor.

Each is a code block after a comment with its name. UPDATE_CAPTURES=1 replaces them by new ones.
"""

from __future__ import annotations

import os
import re
import time
from itertools import dropwhile

from tests.docs.blocks import named
from tests.terminal import Terminal


def check_capture(name: str, terminal: Terminal, first: str = "") -> None:
    """Wait until the screen, from the first row with a text, is a capture of a page."""
    block = named("capture", name)
    if os.environ.get("UPDATE_CAPTURES"):
        time.sleep(1)  # until the screen is complete
        block.replace(normalize(terminal.text, first))
    else:
        terminal.wait(lambda screen: normalize(screen, first) == block.text)


def normalize(screen: str, first: str) -> str:
    """Return rows of a screen without times, dates, and the rows after the end of the file.

    Emacs shows the number of open requests until it draws the mode line again, and lsp-mode the ids
    of processes.
    """
    rows = dropwhile(lambda row: first not in row, screen.splitlines())
    text = "\n".join(row for row in rows if row != "~")
    text = re.sub(r"\n{4,}", "\n\n", text).strip("\n")
    text = re.sub(r" LSP\[.*", "", text)
    text = re.sub(r"\[eglot:project/\d\] ", "[eglot:project] --", text)
    text = re.sub(r"\b\d\d:\d\d\b", "14:02", text)
    return re.sub(r"\b20\d\d-\d\d-\d\d\b", "2026-03-02", text) + "\n"
