"""Unpaired surrogates: halves of characters, which `JSON.stringify` writes and UTF-8 has not.

They are JSON, though no decoder here takes them. A message that has some is read with the
replacement character in their place, and refused where they matter.
"""

from __future__ import annotations

import re

UNPAIRED = b"\\uFfFd"
"""Stands for them in a text that was replaced: a spelling that nobody else uses."""

HALF = "holds half of a character (an unpaired surrogate)"

_PATTERN = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_BACKSLASH = b"\\\\"
_HIDDEN = b"\xff\xff"  # in no text that is UTF-8


def replace_surrogates(text: bytes) -> bytes:
    """Return the text with `UNPAIRED` in place of each unpaired surrogate."""
    if not _PATTERN.search(text):
        return text
    # Behind an escaped backslash, `ud800` is plain text.
    text = _PATTERN.sub(re.escape(UNPAIRED), text.replace(_BACKSLASH, _HIDDEN))
    return text.replace(_HIDDEN, _BACKSLASH)


def restore_surrogates(text: bytes) -> bytes:
    """Undo `replace_surrogates`, but for which surrogates they were."""
    return text.replace(UNPAIRED, rb"\ud800")
