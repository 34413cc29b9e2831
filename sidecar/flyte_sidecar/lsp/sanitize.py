"""Untrusted text as an editor shows it: on one line, or as markdown that shows it unchanged.

Of all constructs of markdown, the result contains only URLs as autolinks. Nothing else is escaped
than what has a meaning in its place, since some editors show the source of markdown.
"""

from __future__ import annotations

import re

from flyte_sidecar.events.plain_text import escape_unsafe

_SPECIAL = re.compile(
    r"[`*\[<|~]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # not inside of a word
    r"|&(?=[#a-zA-Z][a-zA-Z0-9]*;)"
    r"|\\(?=[!-/:-@\[-`{-~]|$)"
)
"""What CommonMark and its extensions for tables and strikethrough interpret inside of a line."""

_BLOCK_START = re.compile(r"([0-9]{1,9})(?=[.)])|(?=[-#+=>:])")
"""What starts a block, underlines a heading, or delimits a table, up to its first punctuation."""

_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_AFTER_URL = re.compile(r"[<>\\`|\"'\[\]()]|[.,;:!?*_~]+$")
_SHOWN_URL = re.compile(r"https?://(?:(?![<>\\`|])[!-~]){1,2000}", re.IGNORECASE)
_HIDDEN_SPACE = re.compile(r"^ | (?= )|^$")


def escape_text(text: str) -> str:
    """Return text as markdown that shows its lines and spaces unchanged.

    Empty lines at its start and end are removed.
    """
    lines = text.strip("\r\n").expandtabs(4).splitlines()
    # Markdown would drop and merge spaces and empty lines.
    return "  \n".join(escape_line(_HIDDEN_SPACE.sub("\u00a0", line)) for line in lines)


def escape_line(text: str, *, starts_line: bool = True) -> str:
    """Return text without line ends as markdown; URLs of http and https become links.

    Parameters
    ----------
    starts_line
        Whether the text is at the start of a line.
    """
    escaped = ""
    end = 0
    for found in _URL.finditer(text):
        after = _AFTER_URL.search(found[0])
        url = found[0][: after.start()] if after else found[0]
        if is_shown_url(url):
            escaped += f"{_escape(text[end : found.start()])}<{url}>"
            end = found.start() + len(url)
    escaped += _escape(text[end:])
    start = _BLOCK_START.match(escaped) if starts_line else None
    return escaped if start is None else f"{start[0]}\\{escaped[start.end() :]}"


def code_span(text: str) -> str:
    """Return text without line ends as inline code."""
    content = escape_unsafe(text)
    longest = max(map(len, re.findall("`+", content)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if content.strip("` ") != content else ""
    return f"{fence}{padding}{content}{padding}{fence}" if content else ""


def is_shown_url(url: str) -> bool:
    """Return whether markdown shows a URL in full as a link: `<url>`."""
    return _SHOWN_URL.fullmatch(url) is not None


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", escape_unsafe(text))
