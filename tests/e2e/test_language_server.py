"""The language server beside the other methods, on one connection."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import kind, request
from tests.lsp.test_features import DEPLOY, WORKFLOW

URI = "file:///workflow.py"
EDITOR = {"textDocument": {"hover": {}}}


def open_document(text: str = WORKFLOW) -> dict[str, Any]:
    document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    return notification("textDocument/didOpen", textDocument=document)


def notification(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


@pytest.mark.parametrize("capabilities", [{}, {"textDocument": {}}, {"textDocument": 5}, 5, None])
def test_a_client_that_edits_no_text_has_no_language_server(
    spawn: Spawn, capabilities: Any
) -> None:
    sidecar = spawn()
    sidecar.request(0, "initialize", capabilities=capabilities)
    result = sidecar.answer()["result"]
    assert set(result["capabilities"]) == {"experimental"}
    sidecar.request(1, "textDocument/hover", textDocument={"uri": URI})
    assert kind(sidecar.answer()) == "method_not_found"


def test_methods_of_events_are_answered_while_the_language_server_loads(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.send(
        request(0, "initialize", capabilities=EDITOR),
        open_document(),
        request(1, "textDocument/documentSymbol", textDocument={"uri": URI}),
        *(request(n, "events.list", runName="r1") for n in range(2, 10)),
    )
    ids = [answer["id"] for answer in sidecar.answers(10)]
    assert ids == [0, *range(2, 10), 1]


def test_messages_that_wait_for_the_language_server_keep_their_order(spawn: Spawn) -> None:
    start = {"line": DEPLOY, "character": 0}
    edits = [{"range": {"start": start, "end": start}, "text": f"# {n}\n"} for n in range(200)]
    sidecar = spawn()
    sidecar.send(
        request(0, "initialize", capabilities=EDITOR),
        open_document(),
        *(
            notification(
                "textDocument/didChange",
                textDocument={"uri": URI, "version": 2 + n},
                contentChanges=[edit],
            )
            for n, edit in enumerate(edits)
        ),
        request(1, "textDocument/documentSymbol", textDocument={"uri": URI}),
    )
    symbols = sidecar.answers(2)[1]["result"]
    lines = [symbol["location"]["range"]["start"]["line"] for symbol in symbols]
    assert lines == [DEPLOY + 200, DEPLOY + 201]


def test_a_shutdown_while_the_language_server_loads_is_answered(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.send(
        request(0, "initialize", capabilities=EDITOR),
        request(1, "textDocument/documentSymbol", textDocument={"uri": URI}),
        request(2, "shutdown"),
        notification("exit"),
    )
    assert {answer["id"] for answer in sidecar.answers(3)} == {0, 1, 2}
    assert sidecar.status() == 0


def test_a_number_that_is_too_long_fails_only_its_message(spawn: Spawn) -> None:
    def with_number(request_id: int, method: str, params: str) -> bytes:
        text = '{"jsonrpc":"2.0","id":%d,"method":"%s","params":{%s:%s}}\n'
        return (text % (request_id, method, params, "9" * 5000)).encode()

    sidecar = spawn()
    capabilities = '"capabilities":{"textDocument":{"hover":{}}},"initializationOptions"'
    sidecar.write(with_number(0, "initialize", capabilities))
    assert kind(sidecar.answer()) == "invalid_params"
    sidecar.request(1, "initialize", capabilities=EDITOR)
    assert kind(sidecar.answer()) == "result"
    sidecar.write(with_number(2, "textDocument/documentSymbol", '"textDocument"'))
    assert kind(sidecar.answer()) == "invalid_params"
    sidecar.send(open_document())
    sidecar.request(3, "textDocument/documentSymbol", textDocument={"uri": URI})
    assert len(sidecar.answer()["result"]) == 2
    assert sidecar.stderr_text() == ""
