"""Diagnostics: problems that are certain, for editors that request them and for others."""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.documents import Document
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.source.parser import ParsedSource

SOURCE = "flyte-sidecar"

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}


async def pull(
    editor: Editor, params: types.DocumentDiagnosticParams
) -> types.RelatedFullDocumentDiagnosticReport:
    """Return the diagnostics of a document."""
    document = editor.documents.find(params.text_document.uri)
    items = [] if document is None else _diagnostics(document, await document.parsed())
    return types.RelatedFullDocumentDiagnosticReport(items=items)


async def publish(
    editor: Editor, params: types.DidOpenTextDocumentParams | types.DidChangeTextDocumentParams
) -> None:
    """Send the diagnostics of a document that was opened or changed, if it has or had any.

    They are sent once for all changes during a parse. The params are not kept: a change may contain
    the whole text.
    """
    if editor.features.pulls_diagnostics or not editor.features.receives_diagnostics:
        return
    document = editor.documents.find(params.text_document.uri)
    if document is not None and not document.publishing:
        document.publishing = True
        editor.background.start(_publish(editor, document))


async def _publish(editor: Editor, document: Document) -> None:
    try:
        parsed = await document.parsed()
    finally:
        document.publishing = False
    if editor.documents.find(document.uri) is not document:
        return  # it was closed
    had_problems = document.published is not None and document.published.problems
    document.published = parsed
    if parsed.problems or had_problems:
        diagnostics = _diagnostics(document, parsed)
        editor.client.publish_diagnostics(document.uri, document.version, diagnostics)


async def clear(editor: Editor, params: types.DidCloseTextDocumentParams) -> None:
    """Remove the diagnostics of a document that was closed."""
    if editor.features.receives_diagnostics and not editor.features.pulls_diagnostics:
        editor.client.publish_diagnostics(params.text_document.uri, None, [])


def _diagnostics(document: Document, parsed: ParsedSource) -> list[types.Diagnostic]:
    return [
        types.Diagnostic(
            range=document.range(parsed, problem.span),
            message=problem.message,
            severity=_SEVERITIES[problem.severity],
            code=problem.code,
            source=SOURCE,
        )
        for problem in parsed.problems
    ]
