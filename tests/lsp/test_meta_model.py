"""The validation of messages that all tests of the language server use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lsp.meta_model import InvalidMessage, MetaModel, load_meta_model

POSITION = {"line": 3, "character": 0}
RANGE = {"start": POSITION, "end": {"line": 3, "character": 9}}

RESULTS: dict[str, list[Any]] = {
    "textDocument/hover": [
        None,
        {"contents": {"kind": "markdown", "value": "*Deploy?*"}, "range": RANGE},
    ],
    "textDocument/codeLens": [
        [{"range": RANGE, "command": {"title": "Approve", "command": "approve", "arguments": [{}]}}]
    ],
    "textDocument/documentSymbol": [
        [{"name": "deploy", "kind": 24, "range": RANGE, "selectionRange": RANGE}]
    ],
    "textDocument/definition": [{"uri": "file:///w.py", "range": RANGE}],
    "workspace/symbol": [
        [{"name": "deploy", "kind": 24, "location": {"uri": "file:///w.py", "range": RANGE}}]
    ],
    "workspace/textDocumentContent": [{"text": "Deploy?"}],
}
CALLS: dict[str, Any] = {
    "window/showMessageRequest": {"type": 3, "message": "?", "actions": [{"title": "Approve"}]},
    "window/workDoneProgress/create": {"token": "t"},
    "workspace/configuration": {"items": [{"section": "flyteSidecar"}]},
}
NOTIFICATIONS: dict[str, Any] = {
    "window/showMessage": {"type": 2, "message": "stale"},
    "textDocument/publishDiagnostics": {
        "uri": "file:///w.py",
        "diagnostics": [{"range": RANGE, "severity": 1, "message": "twice", "code": "duplicate"}],
    },
    "$/progress": {"token": "t", "value": {"kind": "begin", "title": "Connecting"}},
    "$/logTrace": {"message": "read 3 events"},
}
OPEN = "arguments"
"""The member of the examples that may have any value."""


@pytest.fixture(scope="module")
def model() -> MetaModel:
    return load_meta_model()


def response(result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def call(method: str, params: Any, **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params, **members}


def damaged(value: Any) -> Iterator[Any]:
    """Yield copies of a value, each with one damage: another type or an unknown member."""
    yield 7.5
    if isinstance(value, dict):
        yield {**value, "unknown": 1}
        for key, item in value.items():
            if key != OPEN:
                for bad in damaged(item):
                    yield {**value, key: bad}
    elif isinstance(value, list):
        for number, item in enumerate(value):
            for bad in damaged(item):
                yield [*value[:number], bad, *value[number + 1 :]]


@pytest.mark.parametrize("method", RESULTS)
def test_a_result_has_the_type_of_its_request(model: MetaModel, method: str) -> None:
    for result in RESULTS[method]:
        model.check_response(method, response(result))
        for copy in damaged(result):
            with pytest.raises(InvalidMessage):
                model.check_response(method, response(copy))


@pytest.mark.parametrize("method", CALLS)
def test_a_request_has_the_params_of_its_method(model: MetaModel, method: str) -> None:
    model.check_request(call(method, CALLS[method], id=1))
    for copy in damaged(CALLS[method]):
        with pytest.raises(InvalidMessage):
            model.check_request(call(method, copy, id=1))


@pytest.mark.parametrize("method", NOTIFICATIONS)
def test_a_notification_has_the_params_of_its_method(model: MetaModel, method: str) -> None:
    model.check_notification(call(method, NOTIFICATIONS[method]))
    for copy in damaged(NOTIFICATIONS[method]):
        with pytest.raises(InvalidMessage):
            model.check_notification(call(method, copy))


@pytest.mark.parametrize(
    ("name", "value", "required"),
    [
        ("CodeLens", {"range": RANGE, "data": 1}, {"range"}),
        ("Position", POSITION, {"line", "character"}),
        ("Diagnostic", {"range": RANGE, "message": "m", "severity": 1}, {"range", "message"}),
        ("CompletionItem", {"label": "deploy", "kind": 20}, {"label"}),
        ("ServerCapabilities", {"hoverProvider": True}, set()),
        ("WorkDoneProgressBegin", {"kind": "begin", "title": "t"}, {"kind", "title"}),
        ("CodeLensOptions", {"workDoneProgress": True, "resolveProvider": True}, set()),
        ("VersionedTextDocumentIdentifier", {"uri": "f:", "version": 1}, {"uri", "version"}),
    ],
)
def test_only_optional_members_may_be_missing(
    model: MetaModel, name: str, value: dict[str, Any], required: set[str]
) -> None:
    model.check(value, name)
    for key in value:
        rest = {member: item for member, item in value.items() if member != key}
        if key in required:
            with pytest.raises(InvalidMessage, match=f"{key} is missing"):
                model.check(rest, name)
        else:
            model.check(rest, name)


def test_tuples_and_maps_have_the_types_of_their_items(model: MetaModel) -> None:
    model.check({"label": [0, 3]}, "ParameterInformation")
    model.check({"changes": {"file:///w.py": []}}, "WorkspaceEdit")
    for value, name in [
        ({"label": [0]}, "ParameterInformation"),
        ({"label": [0, -3]}, "ParameterInformation"),
        ({"changes": {"w.py": []}}, "WorkspaceEdit"),
        ({"changes": {"file:///w.py": [1]}}, "WorkspaceEdit"),
    ]:
        with pytest.raises(InvalidMessage):
            model.check(value, name)


def test_only_open_enumerations_accept_other_values(model: MetaModel) -> None:
    model.check("quickfix.flyte", "CodeActionKind")
    model.check(4, "DiagnosticSeverity")
    for value, name in [(5, "DiagnosticSeverity"), ("html", "MarkupKind"), (True, "MessageType")]:
        with pytest.raises(InvalidMessage):
            model.check(value, name)


def test_numbers_have_the_ranges_of_lsp(model: MetaModel) -> None:
    for number in (0, 2**31 - 1):
        model.check({"line": number, "character": 0}, "Position")
    for invalid in (-1, 2**31, 1.0, True, "1", None):
        with pytest.raises(InvalidMessage):
            model.check({"line": invalid, "character": 0}, "Position")


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1, "result": None},
        {"jsonrpc": "2.0", "result": None},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "result": None, "error": {"code": 1, "message": "m"}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": "1", "message": "m"}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "m", "kind": "k"}},
        {"jsonrpc": "2.0", "id": None, "result": None},
        {"jsonrpc": "2.0", "id": 1.5, "result": None},
    ],
    ids=json.dumps,
)
def test_a_response_is_one_of_json_rpc(model: MetaModel, message: Any) -> None:
    with pytest.raises(InvalidMessage):
        model.check_response("textDocument/hover", message)


def test_the_result_of_a_command_may_be_any_json(model: MetaModel) -> None:
    for result in (None, 1, {"any": ["value", None, 0.5, "", False, {}]}):
        model.check_response("workspace/executeCommand", response(result))


def test_a_method_has_its_kind_and_its_direction(model: MetaModel) -> None:
    model.check_request({"jsonrpc": "2.0", "id": 1, "method": "workspace/codeLens/refresh"})
    for message in (
        {"jsonrpc": "2.0", "id": 1, "method": "workspace/codeLens/refresh", "params": None},
        call("window/showMessage", NOTIFICATIONS["window/showMessage"], id=1),
        call("workspace/executeCommand", {"command": "c"}, id=1),
        call("events.watch", {}, id=1),
    ):
        with pytest.raises(InvalidMessage):
            model.check_request(message)
    model.check_request(call("workspace/executeCommand", {"command": "c"}, id=1), "clientToServer")
    assert not model.describes("events.watch")
