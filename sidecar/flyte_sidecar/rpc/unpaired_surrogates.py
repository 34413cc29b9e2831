"""Unpaired surrogates, which JavaScript's `JSON.stringify` writes and UTF-8 cannot represent.

They are valid JSON, but msgspec rejects them. They are therefore replaced before decoding, and
only rejected in an id, a method name or a param.
"""

from __future__ import annotations

import re

UNPAIRED = b"\\uFfFd"
"""Replaces an unpaired surrogate. No encoder writes U+FFFD in this mix of cases."""

HAS_SURROGATE = "contains an unpaired surrogate"

_PATTERN = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_BACKSLASH = b"\\\\"
_HIDDEN = b"\xff\xff"  # never occurs in UTF-8


def replace_surrogates(text: bytes) -> bytes:
    """Return the text with `UNPAIRED` in place of each unpaired surrogate."""
    if not _PATTERN.search(text):
        return text
    # After an escaped backslash, `ud800` is plain text.
    text = _PATTERN.sub(re.escape(UNPAIRED), text.replace(_BACKSLASH, _HIDDEN))
    return text.replace(_HIDDEN, _BACKSLASH)


def restore_surrogates(text: bytes) -> bytes:
    """Undo `replace_surrogates`, except that every surrogate becomes the same one."""
    return text.replace(UNPAIRED, rb"\ud800")
