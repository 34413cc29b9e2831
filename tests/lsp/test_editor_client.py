"""The scripted editors that the other tests use."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flyte_sidecar.client import Client
from tests.lsp.conftest import StartEditor
from tests.lsp.editor_client import EDITORS, EditorClient, recorded_capabilities
from tests.lsp.meta_model import InvalidMessage, load_meta_model
from tests.lsp.permissions import Permissions


@pytest.mark.parametrize("editor", EDITORS)
async def test_an_editor_starts_and_ends_a_sidecar(start_editor: StartEditor, editor: str) -> None:
    started = await start_editor(editor=editor)
    assert started.server["serverInfo"]["name"] == "flyte-sidecar"
    created = await started.request("events.create", runName="r1", name="deploy")
    assert created["phase"] == "PAUSED"


def notification(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


REFRESH = {"jsonrpc": "2.0", "id": 1, "method": "workspace/codeLens/refresh"}
PROGRESS = notification("$/progress", token="t", value={"kind": "end"})
REGISTRATION = notification(
    "client/registerCapability",
    registrations=[{"id": "1", "method": "workspace/didChangeConfiguration"}],
)


@pytest.mark.parametrize(
    ("message", "editors"),
    [
        (notification("window/showMessage", type=3, message="m"), EDITORS),
        (notification("window/showDocument", uri="f:"), ("visual-studio-code", "neovim")),
        (REFRESH, ("visual-studio-code",)),
        (REGISTRATION, ("visual-studio-code",)),
        (PROGRESS, ()),
        (notification("$/logTrace", message="m"), ()),
        (notification("telemetry/event"), ()),
        (notification("workspace/applyEdit", edit={}), ()),
        (notification("flyteSidecar/changed"), ()),
        (notification("events.changed"), ()),
    ],
    ids=lambda value: value.get("method") if isinstance(value, dict) else "",
)
def test_an_editor_gets_only_what_it_declared(message: Any, editors: tuple[str, ...]) -> None:
    for editor in EDITORS:
        permissions = Permissions(recorded_capabilities(editor))
        if editor in editors:
            permissions.check(message)
        else:
            with pytest.raises(InvalidMessage):
                permissions.check(message)


def test_traces_and_progress_need_a_request() -> None:
    permissions = Permissions({})
    permissions.trace, permissions.tokens, permissions.watches = "messages", {"t"}, True
    for message in (notification("$/logTrace", message="m"), PROGRESS):
        permissions.check(message)
    permissions.check(notification("events.changed"))
    with pytest.raises(InvalidMessage):
        permissions.check(notification("$/logTrace", message="m", verbose="v"))


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("textDocument/hover", {"contents": {"kind": "markdown", "value": ""}}),
        ("textDocument/documentSymbol", [{"selectionRange": {}}]),
        ("textDocument/codeAction", [{"title": "t", "command": {"command": "c"}}]),
        ("textDocument/completion", {"items": [{"label": "l", "insertTextFormat": 2}]}),
        ("textDocument/definition", [{"targetUri": "f:"}]),
        ("initialize", {"capabilities": {"positionEncoding": "utf-8"}}),
    ],
)
def test_results_have_only_forms_that_the_editor_declared(method: str, result: Any) -> None:
    Permissions(recorded_capabilities("neovim")).check_result(method, result)
    with pytest.raises(InvalidMessage):
        Permissions({}).check_result(method, result)


# Answers each request with the next line of its first argument.
SCRIPTED_SERVER = """
import json, sys
replies = json.loads(sys.argv[1])
for reply in replies:
    length = int(sys.stdin.buffer.readline().split()[1])
    sys.stdin.buffer.readline()
    asked = json.loads(sys.stdin.buffer.read(length))
    for message in reply:
        if "id" not in message and "method" not in message:
            message["id"] = asked.get("id")
        text = json.dumps({"jsonrpc": "2.0", **message}).encode()
        sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n%b" % (len(text), text))
        sys.stdout.flush()
"""


@asynccontextmanager
async def scripted(*replies: list[Any]) -> AsyncIterator[EditorClient]:
    """Connect an editor to a server that answers each message with these messages."""
    command = (sys.executable, "-c", SCRIPTED_SERVER, json.dumps(replies))
    async with Client.spawn(command=command) as client:
        yield EditorClient(client, recorded_capabilities("emacs"), load_meta_model())


@pytest.mark.parametrize(
    "message",
    [
        {"result": {"contents": {"kind": "html", "value": ""}}},
        {"method": "window/showMessage", "params": {"type": 9, "message": "m"}},
        {"id": 7, "method": "workspace/codeLens/refresh"},
        {"method": "flyteSidecar/changed", "params": {}},
    ],
    ids=str,
)
async def test_an_invalid_message_of_the_server_fails_the_test(message: Any) -> None:
    reply = [message] if "result" in message else [message, {"result": None}]
    async with scripted(reply) as editor:
        with pytest.raises(InvalidMessage):
            await editor.hover("file:///w.py", 0, 0)
        with pytest.raises(InvalidMessage):
            await editor.until(lambda: False)


async def test_a_question_waits_for_the_user() -> None:
    question = {
        "id": "q",
        "method": "window/showMessageRequest",
        "params": {"type": 3, "message": "Deploy?", "actions": [{"title": "Approve"}]},
    }
    reply = {"method": "window/showMessage", "params": {"type": 3, "message": "approved"}}
    async with scripted([question, {"result": None}], [reply]) as editor:
        await editor.execute({"command": "flyteSidecar.showPending"})
        [asked] = editor.questions
        assert (asked.message, asked.options) == ("Deploy?", ["Approve"])
        asked.answer("Approve")
        assert await editor.until(lambda: editor.shown) == ["approved"]
        assert editor.questions == []
