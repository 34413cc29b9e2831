"""Hovers over a declaration, and over a string that names an event."""

from __future__ import annotations

from lsprotocol import types

from flyte_sidecar.lsp.editor import Editor


async def hover(editor: Editor, params: types.HoverParams) -> types.Hover | None:
    """Return what is known of the event at a position."""
    return None
