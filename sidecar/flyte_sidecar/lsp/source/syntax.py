"""The syntax tree of a file, and how to find a node in it by its offset.

Nodes are found by searching the bytes for a word and looking at the tree there, which takes less
time than a query of the whole tree and also works inside the nodes of syntax errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_python
from msgspec import Struct
from tree_sitter import Language, Node, Tree

PYTHON = Language(tree_sitter_python.language())


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

    def source(self, node: Node) -> bytes:
        """Return the text of a node."""
        return self.data[node.start_byte : node.end_byte]

    def path(self, offset: int) -> Path:
        """Return the nodes that contain an offset."""
        cursor = self.root.walk()
        nodes = [self.root]
        while cursor.goto_first_child_for_byte(offset) is not None:
            node = cursor.node
            if node is None or node.start_byte > offset:
                break
            nodes.append(node)
        return tuple(nodes)

    def words(self, word: str) -> Iterator[int]:
        """Yield the offsets of a word."""
        pattern = rb"(?<!\w)%b(?!\w)" % re.escape(word.encode())
        return (found.start() for found in re.finditer(pattern, self.data))


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
