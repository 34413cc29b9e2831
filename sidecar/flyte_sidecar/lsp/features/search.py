"""Searches the open documents, and the other files of the workspace, for declarations."""

from __future__ import annotations

from typing import TypeVar

from pygls.uris import from_fs_path, to_fs_path

from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.source.parser import ParsedSource
from flyte_sidecar.lsp.workspace_files import Find

T = TypeVar("T")


async def search_documents(editor: Editor, find: Find[T]) -> list[T]:
    """Return what is found in the open documents; `find` gets the URI of each."""
    found: list[T] = []
    for opened in [*editor.documents.opened.values()]:
        found += find(opened.uri, await opened.parsed())
    return found


async def search_files(editor: Editor, find: Find[T]) -> list[T]:
    """Return what is found in the files that are not open; `find` gets URIs, in a thread."""
    folders = [to_fs_path(folder.uri) for folder in editor.documents.folders.values()]
    skipped = {to_fs_path(opened.uri) or "" for opened in editor.documents.opened.values()}

    def find_in_file(path: str, parsed: ParsedSource) -> list[T]:
        return find(from_fs_path(path) or path, parsed)

    return await editor.files.search([*filter(None, folders)], skipped, find_in_file)
