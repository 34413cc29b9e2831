"""Names and prose as each language writes them."""

from __future__ import annotations

import re
import textwrap

GENERATED = 'Code generated from schemas/ by "make generate". DO NOT EDIT.'

_INITIALISMS = frozenset({"grpc", "id", "io", "json", "rpc", "url"})


def exported(name: str) -> str:
    """Give a name of the wire, in whatever case, as an exported name of Go's."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return "".join(
        word.upper() if word.lower() in _INITIALISMS else word.capitalize() for word in words
    )


def lowered(sentence: str) -> str:
    """Give a sentence as it goes on after a colon."""
    return sentence[:1].lower() + sentence[1:]


def wrapped(prose: str, width: int) -> list[str]:
    """Give the lines of prose; its paragraphs are those that it has."""
    lines: list[str] = []
    for paragraph in prose.split("\n\n"):
        words = " ".join(paragraph.split())
        lines += [*([""] if lines else []), *textwrap.wrap(words, width, break_on_hyphens=False)]
    return lines
