"""Untrusted text as plain text on one line.

Names, prompts and answers are other people's text. Unsanitized, they could move the cursor of a
terminal, add lines to a message, or hide and reorder other text.
"""

from __future__ import annotations

import unicodedata

MAX_NAME_LENGTH = 80
"""Characters of a name that are shown."""

JOINERS = "\u200c\u200d"
"""Invisible characters without which some scripts and emoji cannot be written."""


def is_safe(character: str) -> bool:
    """Return whether a character may be shown without escaping.

    Controls, format characters (those that reorder text or are invisible), line separators,
    surrogates and unassigned characters may not. Python's `isprintable` rejects these Unicode
    categories and also spaces, which may be shown.
    """
    printable = character.isprintable() or character in JOINERS
    return printable or unicodedata.category(character) == "Zs"


def escape_unsafe(text: str) -> str:
    """Return the text with unsafe characters escaped, line ends too."""
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def sanitize(text: str) -> str:
    """Return the text on one line, with unsafe characters escaped."""
    if text.isprintable():
        return text
    return escape_unsafe(" ".join(text.split()))


def one_line(text: str, length: int = MAX_NAME_LENGTH) -> str:
    """Return text as one line of at most `length` characters, for a message."""
    # VS Code turns [text](link) in a message into a link, which may run a command.
    line = sanitize(text[: 4 * length]).strip().replace("](", "] (")
    return line if len(line) <= length else line[: length - 1] + "…"


def _escaped(character: str) -> str:
    return character if is_safe(character) else character.encode("unicode_escape").decode()
