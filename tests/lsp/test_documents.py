"""The open documents, without a process."""

from __future__ import annotations

import pytest
from lsprotocol import types

from flyte_sidecar.lsp import documents
from flyte_sidecar.lsp.documents import Documents

TEXT = 'import flyte\nflyte.new_condition("deploy")\n'


async def names(opened: Documents, uri: str) -> list[str | None]:
    document = opened.find(uri)
    assert document is not None
    return [declaration.name for declaration in (await document.parsed()).declarations]


async def test_the_trees_of_the_documents_that_were_parsed_last_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "MAX_PARSED_BYTES", 2 * len(TEXT))
    opened = Documents("utf-16", [])
    uris = [f"file:///{number}.py" for number in range(4)]
    for uri in uris:
        opened.put_text_document(types.TextDocumentItem(uri, "python", 1, TEXT))
    for uri in uris:
        assert await names(opened, uri) == ["deploy"]
    kept = [uri for uri in uris if (found := opened.find(uri)) and found.file.parsed is not None]
    assert kept == uris[2:]
    assert await names(opened, uris[0]) == ["deploy"]


async def test_one_document_over_the_limit_keeps_its_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_PARSED_BYTES", 0)
    opened = Documents("utf-16", [])
    opened.put_text_document(types.TextDocumentItem("file:///a.py", "python", 1, TEXT))
    assert await names(opened, "file:///a.py") == ["deploy"]
    found = opened.find("file:///a.py")
    assert found is not None
    assert found.file.parsed is not None
