"""Untrusted markdown, rendered by `rich`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import markdown
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.theme import Theme

from flyte_sidecar.events.plain_text import escape_unsafe

MIN_COLUMNS = 10
"""Columns for the text of the innermost block."""

COLUMNS_PER_LEVEL = 5
"""Columns that a level of nested blocks takes, about."""

MAX_DEPTH = 12
"""Depth of nested blocks above which text is not rendered: the parser drops very deep ones."""

CODE_INDENT = 4

THEME = Theme({"markdown.code": "cyan", "markdown.code_block": "cyan"})
"""Styles that are legible on every background, where those of rich are not."""


class _Heading(markdown.Heading):
    """A heading at the left. Versions of rich differ in where they show it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class _CodeBlock(markdown.TextElement):
    """A code block without highlighting: its lexer would be chosen by the text."""

    style_name = "markdown.code_block"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.rstrip()
        yield Padding(self.text, (0, 0, 0, CODE_INDENT))


class Markdown(markdown.Markdown):
    """Markdown that only formats text.

    Attributes
    ----------
    content
        The text that must be seen.
    """

    elements: ClassVar[dict[str, type[markdown.MarkdownElement]]] = {
        **markdown.Markdown.elements,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = _parser().parse(text)
        for block in self.parsed:
            block.children = block.children and list(_without_links(block.children))
        leaves = [*self._flatten_tokens(self.parsed)]
        for leaf in leaves:
            leaf.content = "\n".join(map(escape_unsafe, leaf.content.split("\n")))
        self.content = "".join(leaf.content for leaf in leaves)

    def fits(self, columns: int) -> bool:
        """Return whether each block has enough columns for its text."""
        depth = max((token.level for token in self.parsed), default=0)
        return depth <= MAX_DEPTH and depth * COLUMNS_PER_LEVEL + MIN_COLUMNS <= columns


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _without_links(inlines: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens of a block, with links and images as their texts and targets."""
    target, content = "", ""
    for token in inlines:
        match token.type:
            case "link_open":
                target, content = str(token.attrs["href"]), ""
            case "link_close":
                if content != target:
                    yield _text(f" ({target})")
            case "image":
                yield _text(f"image: {token.content} ({token.attrs['src']})")
            case _:
                content += token.content
                yield token


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
