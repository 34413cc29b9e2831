"""The values of expressions that are certain before the program runs."""

from __future__ import annotations

import ast
import re

from tree_sitter import Node

from flyte_sidecar.lsp.source.names import Names
from flyte_sidecar.lsp.source.syntax import Path, Syntax

MAX_TEXT = 1 << 20
"""The characters of the longest string to compute."""

MAX_DEPTH = 100
"""How deeply expressions may be nested."""

_PLAIN = re.compile(r"""(['"])(?P<content>[^'"\\\r\n\0]*)\1""")
_ESCAPE = re.compile(r"\\(?:(?P<octal>[4-7][0-7]{2})|(?P<other>.))", re.DOTALL)
_ESCAPED = frozenset("\n\r\\'\"abfnrtvxuUN01234567")


class Values:
    """Computes strings: literals, their concatenations, f-strings and constants."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._constants: dict[int, str | None] = {}

    @property
    def syntax(self) -> Syntax:
        """The syntax of the file."""
        return self.names.syntax

    def text(self, node: Node, path: Path, depth: int = 0) -> str | None:
        """Return the string that an expression evaluates to, or None if it is not certain."""
        if depth > MAX_DEPTH or node.has_error:
            return None
        match node.type:
            case "string":
                return self._string(node, path, depth)
            case "concatenated_string":
                return self._concatenated(_expressions(node), path, depth)
            case "binary_operator":
                operator = node.child_by_field_name("operator")
                if operator is None or operator.type != "+":
                    return None
                return self._concatenated(_expressions(node), path, depth)
            case "parenthesized_expression":
                [*inner] = _expressions(node)
                return self.text(inner[0], path, depth + 1) if len(inner) == 1 else None
            case "identifier":
                return self._constant(node, path, depth)
            case _:
                return None

    def _concatenated(self, nodes: list[Node], path: Path, depth: int) -> str | None:
        parts = []
        for node in nodes:
            part = self.text(node, path, depth + 1)
            if part is None:
                return None
            parts.append(part)
        return "".join(parts) if sum(map(len, parts)) <= MAX_TEXT else None

    def _constant(self, node: Node, path: Path, depth: int) -> str | None:
        name = self.syntax.source(node).decode("utf-8", "replace")
        binding = self.names.constant(name, path)
        if binding is None or binding.value is None:
            return None
        if binding.offset not in self._constants:
            value = self.text(binding.value, binding.path, depth + 1)
            self._constants[binding.offset] = value
        return self._constants[binding.offset]

    def _string(self, node: Node, path: Path, depth: int) -> str | None:
        start, end = node.child(0), node.child(node.child_count - 1)
        if start is None or end is None or end.type != "string_end":
            return None
        opening, closing = self.syntax.source(start), self.syntax.source(end)
        prefix = opening[: -len(closing)].lower()
        if b"f" not in prefix:
            return None if b"t" in prefix else _literal(self.syntax.source(node))
        opening = prefix.replace(b"f", b"") + closing
        parts, position = [], start.end_byte
        for piece in (*node.named_children, end):
            if piece.type not in ("interpolation", "string_end"):
                continue
            literal = self.syntax.data[position : piece.start_byte]
            literal = literal.replace(b"{{", b"{").replace(b"}}", b"}")
            parts.append(_literal(opening + literal + closing))
            if piece.type == "interpolation":
                parts.append(self._interpolation(piece, path, depth))
            position = piece.end_byte
        texts = [part for part in parts if part is not None]
        if len(texts) < len(parts) or sum(map(len, texts)) > MAX_TEXT:
            return None
        return "".join(texts)

    def _interpolation(self, node: Node, path: Path, depth: int) -> str | None:
        expression = node.child_by_field_name("expression")
        if expression is None or node.child_count != 3:  # a conversion, a format, or {name=}
            return None
        return self.text(expression, path, depth + 1)


def _expressions(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _literal(source: bytes) -> str | None:
    """Return the value of a string literal that is not an f-string."""
    try:
        text = source.decode()
        plain = _PLAIN.fullmatch(text)
        if plain is not None:
            return plain["content"]
        if "r" not in text[: text.index(text[-1])].lower():
            text = _ESCAPE.sub(_valid_escape, text)
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError):
        return None
    return value if isinstance(value, str) else None


def _valid_escape(found: re.Match[str]) -> str:
    """Rewrite an escape that has a value but makes Python print a warning."""
    if found["octal"]:
        return f"\\u{int(found['octal'], 8):04x}"
    return found[0] if found["other"] in _ESCAPED else "\\" + found[0]
