"""A language server with pygls alone, which responds to `textDocument/codeLens` with one lens."""

from __future__ import annotations

from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("benchmark", "1")


@server.feature(types.TEXT_DOCUMENT_CODE_LENS)
def lenses(params: types.CodeLensParams) -> list[types.CodeLens]:
    start = types.Position(0, 0)
    return [types.CodeLens(types.Range(start, start), types.Command("waiting", "show"))]


if __name__ == "__main__":
    server.start_io()
