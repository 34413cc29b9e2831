"""A line in a shell up to the cursor: its words, and what completes the last one.

Bash, zsh and fish agree on the quoting that matters here. Nothing in a line is expanded or run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

_SEPARATORS = frozenset(";|&(\n")
"""Characters after which another command begins."""

_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
_SPECIAL_IN_QUOTES = re.compile(r'["\\$`]')


class Word(Struct):
    """A word of a line.

    Attributes
    ----------
    text
        The word without its quotes.
    quote
        The quote that is open at its end; empty if none is.
    replaced_from
        The index in `text` of the part that bash replaces by a completion: what follows an open
        quote, or a character of COMP_WORDBREAKS that is not quoted.
    closed_quotes
        Whether the word contains a quoted part that has ended.
    """

    text: str = ""
    quote: str = ""
    replaced_from: int = 0
    closed_quotes: bool = False


def last_command(line: str, breaks: str = "") -> list[Word]:
    """Return the words of the last command of a line; the last one is completed, and may be empty.

    Parameters
    ----------
    breaks
        Bash's COMP_WORDBREAKS.
    """
    words: list[Word] = []
    word, in_word = Word(), False
    characters = iter(line)
    for character in characters:
        if word.quote:
            _continue_quoted(word, character, characters)
        elif character in "\"'":
            word.quote, word.replaced_from, in_word = character, len(word.text), True
        elif character == "\\":
            word.text += next(characters, "")
            in_word = True
        elif character in _SEPARATORS:
            words, word, in_word = [], Word(), False
        elif character in " \t":
            if in_word:
                words.append(word)
                word, in_word = Word(), False
        else:
            word.text += character
            in_word = True
            if character in breaks:
                word.replaced_from = len(word.text)
    return [*words, word]


def _continue_quoted(word: Word, character: str, following: Iterator[str]) -> None:
    if character == word.quote:
        word.quote, word.closed_quotes = "", True
    elif character == "\\" and word.quote == '"':
        escaped = next(following, "")
        word.text += escaped if escaped in '"\\$`' else f"\\{escaped}"
    else:
        word.text += character


def bash_replies(values: Iterable[str], word: Word) -> list[str]:
    """Return what bash inserts for each value, quoted; values that cannot be quoted are left out.

    Zsh and fish quote values themselves.
    """
    if word.closed_quotes:
        return []  # bash versions differ in what they would replace
    replies = [value[word.replaced_from :] for value in values]
    if word.quote == "'":
        return [reply for reply in replies if "'" not in reply]
    if word.quote:
        # In double quotes, `!` is replaced by the shell's history even after a backslash.
        return [_SPECIAL_IN_QUOTES.sub(r"\\\g<0>", reply) for reply in replies if "!" not in reply]
    return [_SPECIAL.sub(r"\\\g<0>", reply) for reply in replies]
