"""Code lenses at declarations and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from lsprotocol import types

from flyte_sidecar.lsp.documents import Document
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.features.offers import offers
from flyte_sidecar.lsp.source.parser import ParsedSource

MAX_TASKS = 200
"""Tasks of a file that have a lens: thousands would delay other requests."""

RUN_LOCALLY = "flyteSidecar.runLocally"
"""A command that plugins implement."""


async def code_lenses(editor: Editor, params: types.CodeLensParams) -> list[types.CodeLens]:
    """Return the lenses of a document.

    At a declaration, they show how many runs wait and offer the answers. At a task, one runs it in
    a plugin that can.
    """
    document = editor.documents.find(params.text_document.uri)
    if document is None or not editor.settings.lenses:
        return []
    await editor.events.wait_connected()
    parsed = await document.parsed()
    at_declarations = [
        types.CodeLens(_shifted(document.range(parsed, declaration.callee), number), command)
        for declaration, commands in offers(editor, parsed.declarations)
        for number, command in enumerate(commands)
    ]
    if not editor.features.runs_locally or not document.uri.startswith("file:"):
        return at_declarations
    return [*at_declarations, *_at_tasks(document, parsed)]


def _at_tasks(document: Document, parsed: ParsedSource) -> Iterator[types.CodeLens]:
    for task in islice(parsed.runnable_tasks, MAX_TASKS):
        argument = {"uri": document.uri, "task": task.name, "parameters": [*task.parameters]}
        title = "Run Locally…" if task.parameters else "Run Locally"
        start = document.range(parsed, task.decorator).start
        command = types.Command(title, RUN_LOCALLY, arguments=[argument])
        yield types.CodeLens(types.Range(start, start), command)


def _shifted(place: types.Range, characters: int) -> types.Range:
    """Return a range that starts later: Neovim mixes the lenses that start at one position."""
    start = types.Position(place.start.line, place.start.character + characters)
    return types.Range(start, max(start, place.end))
