"""Other people's text in columns of a terminal."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias

from flyte_sidecar.cli import terminal
from flyte_sidecar.events.plain_text import JOINERS, sanitize

Line: TypeAlias = list[tuple[str, str]]
"""Texts and the styles before them, in the notation of prompt_toolkit."""

MAX_MARKS = 2
"""Marks over or under one character; more of them would reach into other lines."""

_CLUSTERS = re.compile(f"[{JOINERS}\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
"""Characters that join or modify others. Terminals disagree about the width of the result."""


def one_width(text: str) -> str:
    """Return a sanitized text without what makes terminals disagree about its width.

    A terminal that shows it wider or narrower would move the rest of the line.
    """
    text = terminal.encodable(text)
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for character in _CLUSTERS.sub("", text):
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def fit(text: str, columns: int) -> str:
    """Return untrusted text on exactly so many columns."""
    if columns <= 0:
        return ""
    shown = one_width(sanitize(text[: 4 * columns]))
    return terminal.pad(terminal.truncate(shown, columns), columns)
