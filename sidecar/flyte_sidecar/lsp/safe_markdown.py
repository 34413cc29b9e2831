"""Untrusted markdown as markdown that only formats text.

The text is parsed, and written again from its syntax tree: HTML becomes text, images become their
descriptions, and the target of every link is shown. All blocks are closed, so that the result can
be nested in a quote. `markdown_it` is imported with the first call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from flyte_sidecar.events.plain_text import escape_unsafe
from flyte_sidecar.lsp.sanitize import code_span, escape_line, escape_text, is_shown_url

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

MAX_MARKDOWN_LENGTH = 8192
"""Characters that are rendered; further ones are cut off. Flyte limits prompts to 4096."""

MAX_NESTING = 30
"""Depth of nested syntax above which text is shown unrendered: the parser drops deeper blocks."""

_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")


def safe_markdown(text: str) -> str:
    """Return markdown that shows the same text as `text`, and whose links all show their target."""
    if len(text) > MAX_MARKDOWN_LENGTH:
        text = text[:MAX_MARKDOWN_LENGTH] + "…"
    tokens = _parser().parse(text.expandtabs(4))
    spans = (span for token in tokens for span in token.children or ())
    if any(token.level >= MAX_NESTING - 1 for token in chain(tokens, spans)):
        return escape_text(text)
    from markdown_it.tree import SyntaxTreeNode

    return "\n".join(_blocks(SyntaxTreeNode(tokens).children))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    options = {"html": False, "maxNesting": MAX_NESTING}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


def quote(lines: Sequence[str]) -> list[str]:
    """Return lines of markdown as a quote."""
    return [f"> {line}" if line else ">" for line in lines]


def _blocks(nodes: list[SyntaxTreeNode]) -> list[str]:
    """Return the lines of blocks, with an empty line between two."""
    lines: list[str] = []
    for node in nodes:
        block = _block(node)
        lines += ["", *block] if lines and block else block
    return lines


def _block(node: SyntaxTreeNode) -> list[str]:
    match node.type:
        case "paragraph":
            return _inline(node).split("\n")
        case "heading":
            level = int(node.tag.removeprefix("h"))
            text = re.sub(r"#$", r"\\#", _one_line(node))  # else it would count as syntax
            return [f"{'#' * level} {text}".rstrip()]
        case "hr":
            return ["***"]
        case "fence" | "code_block":
            return _fence(node)
        case "blockquote":
            return quote(_blocks(node.children))
        case "bullet_list" | "ordered_list":
            return _list(node)
        case "table":
            return _table(node)
        case _:
            return _blocks(node.children)


def _fence(node: SyntaxTreeNode) -> list[str]:
    lines = [escape_unsafe(line) for line in node.content.split("\n")]
    longest = max((len(run) for run in re.findall("`+", node.content)), default=0)
    fence = "`" * max(3, longest + 1)
    language = _LANGUAGE.match(node.info)
    while lines and not lines[-1]:
        lines.pop()
    return [fence + (language[0] if language else ""), *lines, fence]


def _list(node: SyntaxTreeNode) -> list[str]:
    lines: list[str] = []
    first = int(node.attrs.get("start", 1))
    for number, item in enumerate(node.children, first):
        marker = "- " if node.type == "bullet_list" else f"{number % 10**9}. "
        content = _blocks(item.children) or [""]
        indent = " " * len(marker)
        lines.append(f"{marker}{content[0]}")
        lines += [line and f"{indent}{line}" for line in content[1:]]
    return lines


def _table(node: SyntaxTreeNode) -> list[str]:
    rows = [row for part in node.children for row in part.children]
    lines = [f"| {' | '.join(map(_cell, row.children))} |" for row in rows]
    lines.insert(1, f"|{'---|' * len(rows[0].children)}")
    return lines


def _cell(node: SyntaxTreeNode) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", _one_line(node))


def _one_line(node: SyntaxTreeNode) -> str:
    return " ".join(line.rstrip() for line in _inline(node).split("\n"))


def _inline(node: SyntaxTreeNode) -> str:
    """Return the inline content of a block."""
    parts: list[str] = []
    for inline in node.children:
        _write(inline.children, parts)
    return "".join(parts).rstrip()


def _write(nodes: list[SyntaxTreeNode], parts: list[str]) -> None:
    for node in nodes:
        match node.type:
            case "text" | "text_special":
                if node.content:
                    starts_line = not parts or parts[-1].endswith("\n")
                    parts.append(escape_line(node.content, starts_line=starts_line))
            case "softbreak":
                parts.append("\n")
            case "hardbreak":
                parts.append("  \n")
            case "code_inline":
                parts.append(code_span(node.content))
            case "em" | "strong" | "s":
                mark = {"em": "*", "strong": "**", "s": "~~"}[node.type]
                if parts and parts[-1].endswith("*"):
                    mark = mark.replace("*", "_")
                parts.append(mark)
                _write(node.children, parts)
                parts.append(mark)
            case "link":
                _write_link(node, str(node.attrs.get("href", "")), parts)
            case "image":
                parts.append("image: ")
                _write_link(node, str(node.attrs.get("src", "")), parts)
            case _:
                parts.append(escape_line(node.content, starts_line=False))


def _write_link(node: SyntaxTreeNode, target: str, parts: list[str]) -> None:
    """Write the text of a link, and its target unless that is the text."""
    if not is_shown_url(target):
        _write(node.children, parts)
    elif node.info == "auto":
        parts.append(f"<{target}>")
    else:
        _write(node.children, parts)
        parts.append(f" (<{target}>)")
