"""Symbols: the events that a file or the workspace declares."""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.documents import Document, range_of
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.features.search import search_documents, search_files
from flyte_sidecar.lsp.source.declarations import Declaration
from flyte_sidecar.lsp.source.parser import ParsedSource


async def document_symbols(
    editor: Editor, params: types.DocumentSymbolParams
) -> list[types.DocumentSymbol] | list[types.SymbolInformation]:
    """Return one symbol per event. Other servers return those of the tasks."""
    document = editor.documents.find(params.text_document.uri)
    if document is None:
        return []
    parsed = await document.parsed()
    if editor.features.nests_symbols:
        return [
            _symbol(document, parsed, declaration, declaration.name)
            for declaration in parsed.declarations
            if declaration.name
        ]
    return _symbols(editor, document.uri, parsed)


async def workspace_symbols(
    editor: Editor, params: types.WorkspaceSymbolParams
) -> list[types.SymbolInformation]:
    """Return the events whose names contain the query, in any case."""
    query = params.query.casefold()

    def find(uri: str, parsed: ParsedSource) -> list[types.SymbolInformation]:
        symbols = _symbols(editor, uri, parsed)
        return [symbol for symbol in symbols if query in symbol.name.casefold()]

    return await search_documents(editor, find) + await search_files(editor, find)


def _symbols(editor: Editor, uri: str, parsed: ParsedSource) -> list[types.SymbolInformation]:
    return [
        types.SymbolInformation(
            name=declaration.name,
            kind=types.SymbolKind.Event,
            location=types.Location(
                uri, range_of(parsed.text, declaration.call, editor.features.encoding)
            ),
            container_name=declaration.task.function if declaration.task else None,
        )
        for declaration in parsed.declarations
        if declaration.name
    ]


def _symbol(
    document: Document, parsed: ParsedSource, declaration: Declaration, name: str
) -> types.DocumentSymbol:
    return types.DocumentSymbol(
        name=name,
        detail=declaration.expected_type,
        kind=types.SymbolKind.Event,
        range=document.range(parsed, declaration.call),
        selection_range=document.range(parsed, declaration.name_span or declaration.callee),
    )
