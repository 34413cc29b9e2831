"""The open documents: pygls keeps them, and their text is parsed in a thread.

pygls's own text differs from LSP in what ends a line (form feeds and U+2028 do for pygls) and costs
time in proportion to the file with each edit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from flyte_sidecar._futures import run_in_thread
from flyte_sidecar.lsp.capabilities import Encoding
from flyte_sidecar.lsp.source.parser import ParsedSource, SourceFile
from flyte_sidecar.lsp.source.syntax import Span
from flyte_sidecar.lsp.source.text import SourceText

PYTHON = "python"
"""The language id of Python files."""

MAX_PARSED_BYTES = 8 << 20
"""Total size of the documents whose trees are kept.

A tree takes 50 times the memory of its text.
"""


class Document(TextDocument):
    """An open Python file.

    Parameters
    ----------
    on_parsed
        Called when the text was parsed.

    Attributes
    ----------
    file
        The text, and what was parsed of it.
    published
        The parsed text whose problems the editor has received last.
    publishing
        Whether the problems of the newest text will be sent once it is parsed.
    """

    def __init__(
        self,
        item: types.TextDocumentItem,
        encoding: Encoding,
        on_parsed: Callable[[Document], None],
    ) -> None:
        super().__init__(item.uri, None, item.version, item.language_id)
        self.file = SourceFile(SourceText(item.text))
        self.published: ParsedSource | None = None
        self.publishing = False
        self._encoding = encoding
        self._on_parsed = on_parsed
        self._parsing: asyncio.Task[None] | None = None

    @property
    def source(self) -> str:
        return str(self.file.text)

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        """Apply a change: of a range, or of the whole text."""
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = self.offset(change.range.start), self.offset(change.range.end)
            self.file.edit(start, end, change.text)
        else:
            self.file.replace(SourceText(change.text))

    async def parsed(self) -> ParsedSource:
        """Return what the current text contains, or the text to which it changes meanwhile."""
        while self.file.parsed is None or self.file.parsed.text is not self.file.text:
            if self._parsing is None or self._parsing.done():
                self._parsing = asyncio.ensure_future(self._parse())
            await asyncio.shield(self._parsing)
        return self.file.parsed

    async def _parse(self) -> None:
        self.file.accept(await run_in_thread(self.file.snapshot().parse))
        self._on_parsed(self)

    def may_declare(self, names: set[str]) -> bool:
        """Return whether the document may declare one of the events."""
        parsed = self.file.parsed
        if parsed is None:
            return True
        return any(declaration.name in names for declaration in parsed.declarations)

    def range(self, parsed: ParsedSource, span: Span) -> types.Range:
        """Return a span of a parsed text as the editor counts it."""
        return range_of(parsed.text, span, self._encoding)

    def offset(self, position: types.Position) -> int:
        """Return the byte offset of a position in the current text."""
        return self.file.text.offset(position.line, position.character, self._encoding)


class Documents(Workspace):
    """The open documents of an editor, as pygls's workspace.

    Attributes
    ----------
    opened
        The open Python files, by their decoded URIs. Other documents are not kept.
    """

    def __init__(self, encoding: Encoding, folders: Sequence[str]) -> None:
        opened = [types.WorkspaceFolder(uri, "") for uri in folders]
        super().__init__(None, workspace_folders=opened)
        self.opened: dict[str, Document] = {}
        self._parsed: dict[Document, None] = {}  # those with a tree, the last parsed at the end
        self._encoding = encoding

    def find(self, uri: str) -> Document | None:
        """Return an open Python file by its URI."""
        return self.opened.get(unquote(uri))

    # Called by pygls:

    def put_text_document(
        self, text_document: types.TextDocumentItem, notebook_uri: str | None = None
    ) -> None:
        if text_document.language_id == PYTHON:
            document = Document(text_document, self._encoding, self._limit_memory)
            self.opened[unquote(text_document.uri)] = document

    def update_text_document(
        self,
        text_doc: types.VersionedTextDocumentIdentifier,
        change: types.TextDocumentContentChangeEvent,
    ) -> None:
        document = self.find(text_doc.uri)
        if document is not None:
            document.apply_change(change)
            document.version = text_doc.version

    def remove_text_document(self, doc_uri: str) -> None:
        document = self.opened.pop(unquote(doc_uri), None)
        if document is not None:
            self._parsed.pop(document, None)

    def _limit_memory(self, parsed: Document) -> None:
        """Keep the trees of the documents that were parsed last."""
        self._parsed.pop(parsed, None)
        self._parsed[parsed] = None
        size = sum(len(document.file.text) for document in self._parsed)
        for document in [*self._parsed][:-1]:
            if size <= MAX_PARSED_BYTES:
                break
            size -= len(document.file.text)
            document.file.forget()
            del self._parsed[document]


def range_of(text: SourceText, span: Span, encoding: Encoding) -> types.Range:
    """Return a span of a text as an editor counts it."""
    start, end = text.position(span.start, encoding), text.position(span.end, encoding)
    return types.Range(types.Position(*start), types.Position(*end))
