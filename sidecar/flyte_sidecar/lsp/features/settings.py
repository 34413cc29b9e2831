"""The settings of the editor."""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.editor import Editor


async def initialized(editor: Editor, _: types.InitializedParams) -> None:
    """Read the editor's settings."""
    await editor.initialized()


async def changed(editor: Editor, params: types.DidChangeConfigurationParams) -> None:
    """Apply changed settings."""
    await editor.configuration_changed(params.settings)
