"""Publishing diagnostics, without a process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from lsprotocol import types

from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.lsp.capabilities import client_features
from flyte_sidecar.lsp.documents import Documents
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.features.diagnostics import publish
from tests.rpc.fake_server import run_pending

URI = "file:///a.py"
INVALID = 'import flyte\nflyte.new_condition("a", data_type=list)\n'


class Window:
    """Records what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, int | None, list[Any]]] = []

    def publish_diagnostics(self, uri: str, version: int | None, diagnostics: list[Any]) -> None:
        self.published.append((uri, version, diagnostics))


@pytest.fixture
async def editor() -> Editor:
    capabilities = {"capabilities": {"textDocument": {"publishDiagnostics": {}}}}
    fake = SimpleNamespace(
        features=client_features(capabilities),
        documents=Documents("utf-16", []),
        background=BackgroundTasks(),
        client=Window(),
    )
    fake.documents.put_text_document(types.TextDocumentItem(URI, "python", 1, INVALID))
    return cast(Editor, fake)


async def change(editor: Editor, version: int, text: str) -> None:
    document = types.VersionedTextDocumentIdentifier(version, URI)
    whole = types.TextDocumentContentChangeWholeDocument(text)
    editor.documents.update_text_document(document, whole)
    await publish(editor, types.DidChangeTextDocumentParams(document, [whole]))


async def test_changes_during_a_parse_are_published_once_and_not_kept(editor: Editor) -> None:
    for version in range(2, 50):
        await change(editor, version, INVALID + f"# {version}\n")
        assert len(editor.background) == 1
    while len(editor.background):
        await run_pending()
    window = cast(Window, editor.client)
    assert [(uri, version) for uri, version, _ in window.published] == [(URI, 49)]
    await change(editor, 50, "")
    while len(editor.background):
        await run_pending()
    assert window.published[1:] == [(URI, 50, [])]
