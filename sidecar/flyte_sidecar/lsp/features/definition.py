"""From the name of an event to its declarations."""

from __future__ import annotations

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path

from flyte_sidecar.lsp.documents import range_of
from flyte_sidecar.lsp.editor import Editor
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
    found: list[types.Location] = []
    for opened in [*editor.documents.opened.values()]:
        found += _declared(editor, name, opened.uri, await opened.parsed())
    if found:
        return found
    folders = [to_fs_path(folder.uri) for folder in editor.documents.folders.values()]
    skipped = {to_fs_path(opened.uri) or "" for opened in editor.documents.opened.values()}

    def find(path: str, parsed: ParsedSource) -> list[types.Location]:
        return _declared(editor, name, from_fs_path(path) or path, parsed)

    return await editor.files.search([*filter(None, folders)], skipped, find)


def _declared(editor: Editor, name: str, uri: str, parsed: ParsedSource) -> list[types.Location]:
    encoding = editor.features.encoding
    return [
        types.Location(uri, range_of(parsed.text, declaration.call, encoding))
        for declaration in parsed.declarations
        if declaration.name == name
    ]
