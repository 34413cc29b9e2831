"""From the name of an event to its declarations."""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.documents import range_of
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.features.search import search_documents, search_files
from flyte_sidecar.lsp.source.parser import ParsedSource


async def definition(
    editor: Editor, params: types.DefinitionParams | types.DeclarationParams
) -> list[types.Location]:
    """Return where the event is declared whose name is at the position.

    The open documents are searched, and if they do not declare it, the files of the workspace.
    """
    document = editor.documents.find(params.text_document.uri)
    if document is None:
        return []
    parsed = await document.parsed()
    reference = parsed.reference_at(document.offset(params.position))
    if reference is None or not reference.name:
        return []
    name = reference.name

    def find(uri: str, parsed: ParsedSource) -> list[types.Location]:
        return [
            types.Location(uri, range_of(parsed.text, declaration.call, editor.features.encoding))
            for declaration in parsed.declarations
            if declaration.name == name
        ]

    return await search_documents(editor, find) or await search_files(editor, find)
