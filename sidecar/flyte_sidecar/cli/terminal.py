"""What a terminal is shown: harmless text, columns that line up, and colour where it is liked.

Names and prompts come from anyone. Printed as they are, they could move the cursor, clear the
screen or hide what stands beside them. `rich` and `wcwidth` would know more of widths, but
take longer to import than everything else that a verb does.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable

BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"

_JOINERS = "\u200c\u200d"
"""Invisible as controls are, but without them some scripts and emoji cannot be written."""

_BEYOND_ASCII = re.compile(r"[^ -~]")


def is_harmless(character: str) -> bool:
    """Return whether a terminal may be sent the character as it is.

    Controls, format characters (those that reorder text, or cannot be seen), line separators,
    surrogates and unassigned characters may not: by Unicode category, which is what makes them
    unprintable. Spaces are the one unprintable category that may.
    """
    printable = character.isprintable() or character in _JOINERS
    return printable or unicodedata.category(character) == "Zs"


def sanitize(text: str) -> str:
    """Give the text on one line, with its control characters spelled out."""
    if text.isprintable():
        return text
    return "".join(map(_escaped, " ".join(text.split())))


def _escaped(character: str) -> str:
    return character if is_harmless(character) else character.encode("unicode_escape").decode()


def sanitize_json(text: bytes) -> bytes:
    """Return the same JSON, with an escape for every character that is not harmless."""
    if text.isascii() and b"\x7f" not in text:
        return text
    return _BEYOND_ASCII.sub(_json_escaped, text.decode()).encode()


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    # json.dumps would do, but the json module is imported for nothing else.
    units = character.encode("utf-16-be").hex(" ", 2).split()
    return character if is_harmless(character) else "".join(f"\\u{unit}" for unit in units)


def width(text: str) -> int:
    """Tell how many columns a harmless text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if character in _JOINERS or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def pad(text: str, columns: int) -> str:
    """Fill the text up with spaces; one that is too wide stays as it is."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Give the text if it fits, else its beginning and an ellipsis."""
    used = fits = 0
    for index, character in enumerate(text, 1):
        used += _columns(character)
        if used > columns:
            return text[:fits] + "…"
        if used < columns:
            fits = index
    return text


def columns() -> int | None:
    """Tell how wide the terminal at stdout is; None where there is none."""
    try:
        return os.get_terminal_size(1).columns or 80  # some say 0 for "unknown"
    except OSError:
        return None


def painter() -> Callable[[str, str], str]:
    """Give what puts a text into a style, or leaves it alone where colour is not wanted."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if not wanted or not sys.stdout.isatty():
        return lambda text, style: text
    return lambda text, style: f"\x1b[{style}m{text}\x1b[0m"


def line(text: str) -> bytes:
    """Give a line of stdout as bytes, whatever alphabet stdout has."""
    return f"{text}\n".encode(sys.stdout.encoding, "backslashreplace")
