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
    await editor.events.wait_connected()
    parsed = await document.parsed()
    return [
        types.CodeLens(_shifted(document.range(parsed, declaration.callee), number), command)
        for declaration, commands in offers(editor, parsed.declarations)
        for number, command in enumerate(commands)
    ]


def _shifted(place: types.Range, characters: int) -> types.Range:
    """Return a range that starts later: Neovim mixes the lenses that start at one position."""
    start = types.Position(place.start.line, place.start.character + characters)
    return types.Range(start, max(start, place.end))
