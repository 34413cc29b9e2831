"""Terminal output: sanitized text, aligned columns, and colour.

`rich` and `wcwidth` measure widths more precisely, but importing them takes
longer than everything else that a verb does.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable

from flyte_sidecar.events.plain_text import JOINERS, is_safe

BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"

_NOT_PRINTABLE_ASCII = re.compile(r"[^ -~]")


def sanitize_json(text: bytes) -> bytes:
    """Return the same JSON, with unsafe characters escaped."""
    if text.isascii() and b"\x7f" not in text:
        return text
    return _NOT_PRINTABLE_ASCII.sub(_json_escaped, text.decode()).encode()


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    # json.dumps would do, but the json module is imported for nothing else.
    units = character.encode("utf-16-be").hex(" ", 2).split()
    return character if is_safe(character) else "".join(f"\\u{unit}" for unit in units)


def width(text: str) -> int:
    """Return the number of columns of a sanitized text."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if character in JOINERS or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def pad(text: str, columns: int) -> str:
    """Return the text, padded with spaces to at least a width."""
    return text + " " * (columns - width(text))


def truncate(text: str, columns: int) -> str:
    """Return the text if it fits into the columns, else its beginning and an ellipsis."""
    used = fits = 0
    for index, character in enumerate(text, 1):
        used += _columns(character)
        if used > columns:
            return text[:fits] + ("…" if encodable("…") == "…" else "~")
        if used < columns:
            fits = index
    return text


def encodable(text: str) -> str:
    """Return the text with the characters escaped that stdout cannot encode.

    Escape before a text is measured or wrapped: escapes are wider, and would be continued on the
    next line of the terminal, where they could look like a line of this program.
    """
    if text.isascii():
        return text
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def columns() -> int | None:
    """Return the width of the terminal at stdout; None if stdout is not a terminal."""
    try:
        return os.get_terminal_size(1).columns or 80  # 0 means unknown
    except OSError:
        return None


def has_colour() -> bool:
    """Return whether stdout is a terminal that shows colours, and they are not disabled."""
    enabled = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return enabled and sys.stdout.isatty()


def painter(styled: bool | None = None) -> Callable[[str, str], str]:
    """Return a function that styles a text, or that returns it unchanged.

    Parameters
    ----------
    styled
        Whether to style; None if stdout shows colours.
    """
    if not (has_colour() if styled is None else styled):
        return lambda text, style: text
    return lambda text, style: f"\x1b[{style}m{text}\x1b[0m"


def line(text: str) -> bytes:
    """Return a line in the encoding of stdout, with other characters escaped."""
    return f"{text}\n".encode(sys.stdout.encoding, "backslashreplace")
