"""Hovers over a declaration, and over a string that names an event."""

from __future__ import annotations

from datetime import datetime

from lsprotocol import types
from msgspec.structs import replace

from flyte_sidecar._futures import run_in_thread
from flyte_sidecar.lsp import texts
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.source.declarations import Declaration
from flyte_sidecar.lsp.source.parser import ParsedSource
from flyte_sidecar.lsp.source.syntax import Span


async def hover(editor: Editor, params: types.HoverParams) -> types.Hover | None:
    """Return what is known of the event at a position: its question, runs and answers."""
    document = editor.documents.find(params.text_document.uri)
    if document is None:
        return None
    parsed = await document.parsed()
    found = _event_at(parsed, document.offset(params.position))
    if found is None:
        return None
    name, span, declaration = found
    task = None if declaration is None else declaration.task
    recent = await editor.history.recent(name)
    of_task = tuple(event for event in recent.events if editor.events.may_be_of(event, task))
    markdown = editor.features.renders_markdown
    # Markdown from elsewhere may take 0.2 s to render.
    text = await run_in_thread(
        texts.hover,
        name,
        declaration,
        editor.events.named(name, task),
        replace(recent, events=of_task),
        datetime.now().astimezone(),
        state=editor.events.state,
        markdown=markdown,
    )
    kind = types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText
    return types.Hover(types.MarkupContent(kind, text), document.range(parsed, span))


def _event_at(parsed: ParsedSource, offset: int) -> tuple[str, Span, Declaration | None] | None:
    """Return the name at an offset, its span, and the declaration if it is one."""
    for declaration in parsed.declarations:
        for span in (declaration.callee, declaration.name_span):
            if span is not None and span.start <= offset <= span.end and declaration.name:
                return declaration.name, span, declaration
    reference = parsed.reference_at(offset)
    if reference is None or not reference.name:
        return None
    return reference.name, reference.span, None
