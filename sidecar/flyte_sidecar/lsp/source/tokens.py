"""Strings and brackets in code that has a syntax error, found without a parser."""

from __future__ import annotations

import re

_CLOSING = {b"(": b")", b"[": b"]", b"{": b"}"}
_TOKEN = re.compile(
    rb"(?P<open>[(\[{])|(?P<close>[)\]}])|#[^\r\n]*"
    rb"|'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\""
    rb"|'(?!'')(?:[^\\'\r\n]|\\\r\n|\\.)*'|\"(?!\"\")(?:[^\\\"\r\n]|\\\r\n|\\.)*\""
    rb"|(?P<quote>['\"])",
    re.DOTALL,
)
"""What matters for matching brackets. A `quote` begins a string that does not end."""


def blank_open_strings(code: bytes) -> bytes:
    """Replace the lines in which a string begins and does not end by spaces.

    tree-sitter would take the next quote, in any line, as the end of such a string.
    """
    blanked, position = bytearray(code), 0
    while (token := _TOKEN.search(blanked, position)) is not None:
        position = token.end()
        if token["quote"]:
            start = blanked.rfind(b"\n", 0, token.start()) + 1
            end = blanked.find(b"\n", position)
            position = len(blanked) if end < 0 else end
            blanked[start:position] = b" " * (position - start)
    return bytes(blanked)


def closing_brackets(code: bytes) -> bytes:
    """Return the brackets that close those that are open at the end of some code."""
    open_brackets: list[bytes] = []
    for token in _TOKEN.finditer(code):
        if token["open"]:
            open_brackets.append(_CLOSING[token["open"]])
        elif token["close"] and open_brackets:
            open_brackets.pop()
    return b"".join(reversed(open_brackets))
