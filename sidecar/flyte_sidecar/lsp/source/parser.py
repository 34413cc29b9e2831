"""Incremental parsing of a file that changes.

A `SourceFile` belongs to one thread, such as that of the event loop. Nothing in a `Snapshot`
changes, so another thread can parse it while further edits arrive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct, structs
from tree_sitter import Parser, Point, Tree

from flyte_sidecar.lsp.source.declarations import Declaration, find_declarations
from flyte_sidecar.lsp.source.names import Names
from flyte_sidecar.lsp.source.problems import Problem, find_problems
from flyte_sidecar.lsp.source.references import Reference, find_references, half_typed_reference
from flyte_sidecar.lsp.source.runnable_tasks import RunnableTask, find_runnable_tasks
from flyte_sidecar.lsp.source.syntax import PYTHON, Syntax
from flyte_sidecar.lsp.source.text import SourceText
from flyte_sidecar.lsp.source.values import Values

MAX_PARSED_BYTES = 8 << 20
"""The largest file to parse. A tree takes about 50 times the memory of its text."""

MAX_EDITS = 1000
"""The edits after which a file is parsed anew: each costs up to some milliseconds."""

CHUNK_SIZE = 1 << 14
"""The bytes that are parsed at once. Other threads run in between."""

_RETURN = re.compile(rb"\r(?!\n)")


class Edit(Struct, frozen=True):
    """A change of a text, in the terms of tree-sitter."""

    start_byte: int
    old_end_byte: int
    new_end_byte: int
    start_point: tuple[int, int]
    old_end_point: tuple[int, int]
    new_end_point: tuple[int, int]


class ParsedSource(Struct, frozen=True, kw_only=True):
    """What a text contains. `version` is the number of edits that led to it."""

    text: SourceText
    version: int
    declarations: tuple[Declaration, ...] = ()
    references: tuple[Reference, ...] = ()
    problems: tuple[Problem, ...] = ()
    runnable_tasks: tuple[RunnableTask, ...] = ()
    tree: Tree | None = None
    values: Values | None = None

    def reference_at(self, offset: int) -> Reference | None:
        """Return the reference that contains or ends at an offset, also while it is typed."""
        for reference in self.references:
            if reference.span.start <= offset <= reference.span.end:
                return reference
        return None if self.values is None else half_typed_reference(self.values, offset)


class Snapshot(Struct, frozen=True):
    """A text, and the tree of an earlier one with the edits since."""

    text: SourceText
    version: int
    tree: Tree | None
    edits: Sequence[Edit]

    def parse(self) -> ParsedSource:
        """Return what the text contains. Other threads run during a long parse."""
        if len(self.text) > MAX_PARSED_BYTES or not self.text.contains(b"flyte"):
            return ParsedSource(text=self.text, version=self.version)
        # tree-sitter ends a line only at \n. An equal number of bytes keeps the offsets.
        data = _RETURN.sub(b"\n", self.text.data) if self.text.contains(b"\r") else self.text.data

        def read(offset: int, point: Point) -> bytes:
            return data[offset : offset + CHUNK_SIZE]

        edited = self._edited_tree()
        parser = Parser(PYTHON)
        tree = parser.parse(read) if edited is None else parser.parse(read, edited)
        values = Values(Names(Syntax(data, tree)))
        declared = find_declarations(values)
        return ParsedSource(
            text=self.text,
            version=self.version,
            declarations=tuple(declaring.declaration for declaring in declared),
            references=tuple(find_references(values)),
            problems=tuple(find_problems(values, declared)),
            runnable_tasks=tuple(find_runnable_tasks(values)),
            tree=tree,
            values=values,
        )

    def _edited_tree(self) -> Tree | None:
        if self.tree is None:
            return None
        tree = self.tree.copy()
        for edit in self.edits:
            tree.edit(*structs.astuple(edit))
        return tree


class SourceFile:
    """The text of a file, and the newest result of its analysis: `parsed`, which may be outdated.

    Examples
    --------
        file = SourceFile(SourceText(text))
        file.edit(start, end, new)
        parsed = await asyncio.to_thread(file.snapshot().parse)
        file.accept(parsed)
        if parsed.text is not file.text:
            ...  # the file was edited meanwhile: take another snapshot
    """

    def __init__(self, text: SourceText) -> None:
        self.text = text
        self.parsed: ParsedSource | None = None
        self._version = 0
        self._tree: Tree | None = None
        self._tree_version = 0
        self._edits: list[Edit] = []

    def edit(self, start: int, end: int, new: str) -> None:
        """Replace the bytes from `start` to `end` of the text."""
        text = self.text.replaced(start, end, new)
        if len(self._edits) == MAX_EDITS:
            self.replace(text)
            return
        self._edits.append(_edit(self.text, text, start, end))
        self.text = text
        self._version += 1

    def replace(self, text: SourceText) -> None:
        """Replace the whole text."""
        self.text = text
        self._version += 1
        self._tree, self._tree_version, self._edits = None, self._version, []

    def forget(self) -> None:
        """Free the memory of the tree. The next snapshot is parsed from the start."""
        self.parsed = None
        self.replace(self.text)

    def snapshot(self) -> Snapshot:
        """Return the state of the file, which any thread can parse."""
        return Snapshot(self.text, self._version, self._tree, tuple(self._edits))

    def accept(self, parsed: ParsedSource) -> None:
        """Use a result of a snapshot of this file, unless a newer one was accepted."""
        if self.parsed is None or parsed.version > self.parsed.version:
            self.parsed = parsed
        if parsed.version >= self._tree_version:
            edits = self._edits[parsed.version - self._tree_version :]
            self._tree, self._tree_version, self._edits = parsed.tree, parsed.version, edits


def _edit(old: SourceText, new: SourceText, start: int, end: int) -> Edit:
    end = min(max(end, 0), len(old))
    start = min(max(start, 0), end)
    new_end = end + len(new) - len(old)
    return Edit(start, end, new_end, old.point(start), old.point(end), new.point(new_end))
