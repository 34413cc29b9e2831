"""The syntax tree of a file, and how to find a node in it by its offset.

Nodes are found by searching the bytes for a word and looking at the tree there, which takes less
time than a query of the whole tree and also works inside the nodes of syntax errors.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

import tree_sitter_python
from msgspec import Struct
from tree_sitter import Language, Node, Parser, Point, Range, Tree

from flyte_sidecar.lsp.source.tokens import blank_open_strings, closing_brackets

PYTHON = Language(tree_sitter_python.language())

MAX_DEPTH = 500
"""The nodes of the longest path. Python allows 100 levels of indentation and 200 brackets."""

MAX_STRING = 1 << 16
"""The bytes within which a string ends that contains lines like statements."""

TEXT = frozenset(("comment", "string_start", "string_content", "string_end", "escape_sequence"))
"""The leaves of comments and strings."""

_WORD = frozenset(string.ascii_letters.encode() + string.digits.encode() + b"_")
_STATEMENTS = ("_statement", "_definition")
_STATEMENT = re.compile(
    rb"\n(?:@[^\n]*(?:\n[ \t)@#][^\n]*)*\n)?"  # decorators, which no empty line separates
    rb"(?!(?:elif|else|except|finally)\b)[A-Za-z_@]"
)
_DEFINITION = re.compile(
    rb"^(?:@|(?:async[ \t]+)?def[ \t]|(?:class|import)[ \t]|from[ \t]+[\w.]+[ \t]+import\b)",
    re.MULTILINE,
)
"""Lines that a string hardly contains at the start of a line."""


class Span(Struct, frozen=True):
    """The bytes from `start` to `end`, which is not included."""

    start: int
    end: int


Path = tuple[Node, ...]
"""The nodes that contain an offset, from the root to the leaf."""


class Syntax:
    """A text and its syntax tree."""

    def __init__(self, data: bytes, tree: Tree) -> None:
        self.data = data
        self.root = tree.root_node
        self._statements: dict[int, Node] = {}

    def source(self, node: Node) -> bytes:
        """Return the text of a node."""
        return self.data[node.start_byte : node.end_byte]

    def path(self, offset: int) -> Path:
        """Return the nodes that contain an offset.

        A syntax error may swallow any number of statements of the module. If there is one, a path
        leads through the tree of the lines alone that look like one statement of the module.
        """
        path = _path(self.root, offset)
        if not self.root.has_error or self._is_intact(path, offset):
            return path
        return (self.root, *_path(self._statement(offset), offset)[1:])

    def path_before(self, offset: int, string: int, quotes: bytes) -> Path:
        """Return the nodes that contain an offset if the code ends with a string.

        `string` is the offset of the content of the string. Its `quotes` and all brackets that are
        open there are closed.
        """
        start, _ = self._bounds(offset)
        code = blank_open_strings(self.data[start : string - len(quotes)]) + quotes + quotes
        root = parse_range(code + closing_brackets(code), start)
        return (self.root, *_path(root, offset)[1:])

    def is_damaged(self, path: Path) -> bool:
        """Return whether the statement of the module that contains a path has a syntax error."""
        offset = path[-1].start_byte
        if not self.root.has_error or self._is_intact(_path(self.root, offset), offset):
            return False
        return self._statement(offset).has_error

    def _is_intact(self, path: Path, offset: int) -> bool:
        """Return whether a path leads through a statement that no syntax error has affected."""
        if len(path) < 2 or path[1].has_error or not path[1].type.endswith(_STATEMENTS):
            return False
        return path[1].start_byte == self._bounds(offset)[0] or path[-1].type in TEXT

    def _statement(self, offset: int) -> Node:
        """Return the root of the tree of the lines that look like a statement of the module."""
        start, end = self._bounds(offset)
        if start not in self._statements:
            code = self.data[start:end]
            root = parse_range(code, start)
            if root.has_error:
                root = parse_range(blank_open_strings(code), start)
            self._statements[start] = root
        return self._statements[start]

    def _bounds(self, offset: int) -> tuple[int, int]:
        index = min(bisect_right(self._starts, offset), len(self._starts) - 1)
        return self._starts[index - 1], self._starts[index]

    @cached_property
    def _starts(self) -> list[int]:
        """Where lines look like the start of a statement of the module, and both ends."""
        found = [match.start() + 1 for match in _STATEMENT.finditer(self.data)]
        starts: list[int] = []
        string_end = 0
        for start, end in pairwise((0, *found, len(self.data))):
            if start >= string_end:
                starts.append(start)
                string_end = self._string_end(start, end)
        return sorted({*starts, len(self.data)})

    def _string_end(self, start: int, end: int) -> int:
        """Return the end of a string that begins in some lines, unless a definition precedes it."""
        for quotes in (b'"""', b"'''"):
            if self.data.count(quotes, start, end) % 2:
                found = self.data.find(quotes, end, end + MAX_STRING)
                if found >= 0 and _DEFINITION.search(self.data, end, found) is None:
                    return found
        return end

    def words(self, word: str) -> Iterator[int]:
        """Yield the offsets of a word."""
        data = self.data
        for found in re.finditer(re.escape(word.encode()), data):
            start, end = found.span()
            if (start == 0 or data[start - 1] not in _WORD) and (
                end == len(data) or data[end] not in _WORD
            ):
                yield start


def parse_range(code: bytes, start: int) -> Node:
    """Return the root of the tree of a part of a text. Only the offsets in it are meaningful."""
    end = start + len(code)
    part = Range(Point(0, start), Point(0, end), start, end)

    def read(offset: int, point: Point) -> bytes:
        return code[max(offset - start, 0) :]

    return Parser(PYTHON, included_ranges=[part]).parse(read).root_node


def _path(root: Node, offset: int) -> Path:
    cursor = root.walk()
    nodes = [root]
    while len(nodes) < MAX_DEPTH and cursor.goto_first_child_for_byte(offset) is not None:
        node = cursor.node
        if node is None or node.start_byte > offset:
            break
        nodes.append(node)
    return tuple(nodes)


def dotted(data: bytes, node: Node) -> tuple[str, ...] | None:
    """Return the parts of a dotted name, or None for any other expression."""
    parts = []
    while node.type == "attribute":
        name, value = node.child_by_field_name("attribute"), node.child_by_field_name("object")
        if name is None or value is None:
            return None
        parts.append(data[name.start_byte : name.end_byte].decode("utf-8", "replace"))
        node = value
    if node.type == "dotted_name":
        parts += [
            data[part.start_byte : part.end_byte].decode("utf-8", "replace")
            for part in reversed(node.named_children)
        ]
    elif node.type == "identifier":
        parts.append(data[node.start_byte : node.end_byte].decode("utf-8", "replace"))
    else:
        return None
    return tuple(reversed(parts))


def span(node: Node) -> Span:
    """Return the span of a node."""
    return Span(node.start_byte, node.end_byte)
