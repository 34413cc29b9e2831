"""Read-only documents that show the prompt of an event."""

from __future__ import annotations

from datetime import datetime

from lsprotocol import types

from flyte_sidecar._futures import resolve, run_in_thread
from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.events.model import Target
from flyte_sidecar.lsp import command_texts, texts
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.prompt_uris import parse_prompt_uri


async def content(
    editor: Editor, params: types.TextDocumentContentParams
) -> types.TextDocumentContentResult:
    """Return the document of an event, as markdown."""
    argument = parse_prompt_uri(params.uri)
    if argument is None or argument.action_name is None:
        raise InvalidParams("`uri` is not the URI of an event's document", path="/uri")
    if argument.backend != editor.backend_id:
        return types.TextDocumentContentResult(command_texts.ANOTHER_BACKEND)
    run = editor.service.run(argument.run_name, argument.org, argument.project, argument.domain)
    target = Target(run, action_name=argument.action_name)
    event = await resolve(editor.service.get(target))
    if event is None:
        return types.TextDocumentContentResult(f"There is no {target}.")
    editor.prompt_shown(params.uri, event.name)
    text = await run_in_thread(texts.document, event, datetime.now().astimezone())
    return types.TextDocumentContentResult(text)
