"""The requests of editors, one module per kind."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from lsprotocol import types

from flyte_sidecar.lsp.bridge import Bridge
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.features import (
    actions,
    completion,
    definition,
    diagnostics,
    hover,
    lenses,
    prompts,
    settings,
    symbols,
)
from flyte_sidecar.protocol.results import encode

FEATURES: dict[str, Callable[[Editor, Any], Awaitable[Any]]] = {
    types.INITIALIZED: settings.initialized,
    types.TEXT_DOCUMENT_CODE_ACTION: actions.code_actions,
    types.TEXT_DOCUMENT_CODE_LENS: lenses.code_lenses,
    types.TEXT_DOCUMENT_COMPLETION: completion.completion,
    types.TEXT_DOCUMENT_DECLARATION: definition.definition,
    types.TEXT_DOCUMENT_DEFINITION: definition.definition,
    types.TEXT_DOCUMENT_DIAGNOSTIC: diagnostics.pull,
    types.TEXT_DOCUMENT_DID_CHANGE: diagnostics.publish,
    types.TEXT_DOCUMENT_DID_CLOSE: diagnostics.clear,
    types.TEXT_DOCUMENT_DID_OPEN: diagnostics.publish,
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: symbols.document_symbols,
    types.TEXT_DOCUMENT_HOVER: hover.hover,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: settings.changed,
    types.WORKSPACE_SYMBOL: symbols.workspace_symbols,
    types.WORKSPACE_TEXT_DOCUMENT_CONTENT: prompts.content,
}


def add_features(bridge: Bridge, editor: Editor) -> None:
    """Handle the requests, notifications and commands of the editor."""
    for method, handle in FEATURES.items():
        bridge.add_feature(method, partial(_traced, method, handle, editor))
    for command in editor.commands.names:
        bridge.add_command(command, partial(_execute, editor, command))


async def _traced(
    method: str, handle: Callable[[Editor, Any], Awaitable[Any]], editor: Editor, params: Any
) -> Any:
    """Handle a message, and send its duration to the editor if it traces the server."""
    start = time.perf_counter()
    try:
        return await handle(editor, params)
    finally:
        milliseconds = (time.perf_counter() - start) * 1e3
        editor.client.trace(f"{method}: {milliseconds:.1f} ms", editor.describe())


async def _execute(editor: Editor, command: str, *arguments: Any) -> Any:
    """Run a command, and return the event after it as in the results of `events.signal`."""
    return json.loads(encode(await editor.commands.execute(command, arguments)))
