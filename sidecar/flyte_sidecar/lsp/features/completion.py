"""Completion of event names, in calls such as `Event.get("...")`."""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.editor import Editor

MAX_ITEMS = 500
"""Number of names that are offered at once."""

_UNSUITABLE = frozenset("\"'\\\r\n")
"""Characters that would end the string, or that a string literal writes otherwise."""


async def completion(editor: Editor, params: types.CompletionParams) -> types.CompletionList | None:
    """Return the names of the open files and of the backend, if the cursor is in such a string."""
    document = editor.documents.find(params.text_document.uri)
    if document is None:
        return None
    parsed = await document.parsed()
    reference = parsed.reference_at(document.offset(params.position))
    if reference is None:
        return None
    place = document.range(parsed, reference.span)
    waiting = set(editor.events.names())
    declared = {
        declaration.name
        for opened in editor.documents.opened.values()
        if opened.file.parsed is not None
        for declaration in opened.file.parsed.declarations
        if declaration.name
    }
    names = sorted(name for name in waiting | declared if name and _suitable(name))
    items = [
        types.CompletionItem(
            label=name,
            kind=types.CompletionItemKind.Event,
            detail="waiting" if name in waiting else None,
            filter_text=name,  # without it, Neovim offers every name, whatever is typed
            sort_text=f"{name not in waiting:d}{name}",
            text_edit=types.TextEdit(place, name),
        )
        for name in names[:MAX_ITEMS]
    ]
    return types.CompletionList(is_incomplete=len(names) > MAX_ITEMS, items=items)


def _suitable(name: str) -> bool:
    return name.isprintable() and _UNSUITABLE.isdisjoint(name)
