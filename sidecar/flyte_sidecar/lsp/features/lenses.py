"""Code lenses above declarations."""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.features.offers import offers


async def code_lenses(editor: Editor, params: types.CodeLensParams) -> list[types.CodeLens]:
    """Return the lenses of a document: how many runs wait at a declaration, and the answers."""
    document = editor.documents.find(params.text_document.uri)
    if document is None or not editor.settings.lenses:
        return []
    parsed = await document.parsed()
    return [
        types.CodeLens(document.range(parsed, declaration.callee), command)
        for declaration in parsed.declarations
        for command in offers(editor, declaration)
    ]
