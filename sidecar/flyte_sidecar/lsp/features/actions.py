"""Code actions at declarations: the commands of the lenses, for editors without lenses.

They have no kind, and are not offered to a request for certain kinds, so that no setting can run
them when a file is saved.
"""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.features.offers import offers


async def code_actions(
    editor: Editor, params: types.CodeActionParams
) -> list[types.CodeAction] | list[types.Command]:
    """Return the commands for the declarations in a range."""
    document = editor.documents.find(params.text_document.uri)
    if document is None or params.context.only:
        return []
    await editor.events.wait_connected()
    parsed = await document.parsed()
    first, last = params.range.start.line, params.range.end.line
    in_range = (
        declaration
        for declaration in parsed.declarations
        if (place := document.range(parsed, declaration.call)).start.line <= last
        and first <= place.end.line
    )
    commands = [command for _, offered in offers(editor, in_range) for command in offered]
    if not editor.features.runs_code_actions:
        return commands
    return [types.CodeAction(command.title, command=command) for command in commands]
