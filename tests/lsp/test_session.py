"""How the language server shares the connection with the other methods, from a real process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.client import Client
from flyte_sidecar.errors import InvalidParams, MethodNotFound, RequestCancelled
from flyte_sidecar.server.backends import MAX_OPEN
from tests.conftest import TEST_TIMEOUT
from tests.lsp.conftest import StartEditor
from tests.lsp.editor_client import EditorClient, recorded_capabilities
from tests.lsp.test_features import DEPLOY, WORKFLOW, create, open_with_lenses, titles

URI = "file:///workflow.py"


@pytest.fixture
async def editor(start_editor: StartEditor) -> EditorClient:
    return await start_editor()


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/hover", {}),
        ("textDocument/hover", {"textDocument": 5, "position": {"line": 0, "character": 0}}),
        ("textDocument/hover", {"textDocument": {"uri": URI}, "position": {"line": "x"}}),
        ("workspace/executeCommand", {"command": "flyteSidecar.unknown"}),
        ("workspace/executeCommand", {"command": "flyteSidecar.approve", "arguments": [5]}),
        ("workspace/executeCommand", {"command": "flyteSidecar.refresh", "arguments": [5]}),
    ],
)
async def test_invalid_params_of_an_editor_are_rejected(
    editor: EditorClient, method: str, params: Any
) -> None:
    with pytest.raises(InvalidParams):
        await editor.request(method, **params)


async def test_an_unknown_method_of_an_editor_is_rejected(editor: EditorClient) -> None:
    with pytest.raises(MethodNotFound):
        await editor.request("textDocument/rename")


async def test_notifications_with_invalid_params_change_nothing(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("wb") as log:
        editor = await start_editor(stderr=log)
        uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
        for method, params in [
            ("textDocument/didOpen", {"textDocument": {"uri": 5}}),
            ("textDocument/didChange", {}),
            (
                "textDocument/didChange",
                {"textDocument": {"uri": "file:///closed.py", "version": 1}},
            ),
            ("textDocument/didClose", {"textDocument": {"uri": "file:///closed.py"}}),
            ("workspace/didChangeConfiguration", {}),
            ("$/setTrace", {"value": "loud"}),
            ("workspace/didChangeConfiguration", {"settings": {"lenses": "\ud800"}}),
            ("window/workDoneProgress/cancel", {"token": {}}),
        ]:
            editor.notify(method, **params)
        assert len(await editor.symbols(uri)) == 2
    assert "internal error" not in (tmp_path / "log").read_text()


async def test_a_cancelled_request_is_answered_once(editor: EditorClient, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
    hover = asyncio.ensure_future(editor.hover(uri, DEPLOY, 30))
    await asyncio.sleep(0)
    hover.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hover
    sent = len(editor.received)
    await editor.symbols(uri)
    answers = [message for message in editor.received[sent - 1 :] if "method" not in message]
    assert len({json.dumps(answer.get("id")) for answer in answers}) == len(answers)
    assert all("error" not in a or a["error"]["code"] == RequestCancelled.code for a in answers)


async def test_a_name_with_an_unpaired_surrogate_is_shown(
    editor: EditorClient, tmp_path: Path
) -> None:
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW.replace('"deploy"', r'"de\ud800ploy"'))
    symbols = await editor.symbols(uri)
    assert [symbol["name"] for symbol in symbols] == ["de\ufffdploy", "threshold"]


@pytest.mark.parametrize(
    "encodings", [["utf-8"], ["utf-32", "utf-8"], ["utf-16"], ["utf-7", "utf-8"], None]
)
async def test_positions_are_counted_in_the_encoding_of_the_editor(
    start_editor: StartEditor, tmp_path: Path, encodings: list[str] | None
) -> None:
    capabilities = recorded_capabilities("visual-studio-code")
    capabilities["general"].pop("positionEncodings", None)
    if encodings is not None:
        capabilities["general"]["positionEncodings"] = encodings
    editor = await start_editor(capabilities=capabilities)
    chosen = editor.server["capabilities"].get("positionEncoding", "utf-16")
    assert chosen == next(e for e in encodings or ["utf-16"] if e != "utf-7")
    line = 'x = "é😀"; flyte.new_condition("deploy")'
    width = {"utf-8": 2 + 4, "utf-16": 1 + 2, "utf-32": 1 + 1}[chosen]
    uri = editor.open(tmp_path / "workflow.py", f"import flyte\n{line}\n")
    (symbol,) = await editor.symbols(uri)
    start = len('x = "') + width + len('"; ')
    assert symbol["range"]["start"] == {"line": 1, "character": start}
    name = symbol["selectionRange"]["start"]["character"]
    place = {"line": 1, "character": name + 1}  # after the quote
    change = {"range": {"start": place, "end": place}, "text": "re"}
    editor.change(uri, change)
    assert [symbol["name"] for symbol in await editor.symbols(uri)] == ["redeploy"]


@pytest.mark.parametrize(
    "uri", ["untitled:Untitled-1", "file:///not%20there/a.py", "vscode-vfs://github/a.py"]
)
async def test_documents_need_no_file_and_no_workspace(editor: EditorClient, uri: str) -> None:
    editor.open(uri, WORKFLOW)
    assert len(await editor.symbols(uri)) == 2


async def test_a_renamed_document_is_another_one(editor: EditorClient, tmp_path: Path) -> None:
    await create(editor)
    old = await open_with_lenses(editor, tmp_path / "old.py")
    editor.close(old)
    new = editor.open(tmp_path / "new.py", WORKFLOW)
    assert len(await editor.lenses(new)) == 3
    assert await editor.lenses(old) == []


async def test_documents_of_other_languages_are_ignored(
    editor: EditorClient, tmp_path: Path
) -> None:
    uri = editor.open(tmp_path / "notes.md", WORKFLOW, language="markdown")
    editor.change(uri, {"text": WORKFLOW})
    assert await editor.symbols(uri) == []
    editor.close(uri)


async def test_a_half_typed_file_keeps_its_lenses(editor: EditorClient, tmp_path: Path) -> None:
    await create(editor)
    uri = await open_with_lenses(editor, tmp_path / "workflow.py")
    end = {"line": WORKFLOW.count("\n"), "character": 0}
    for text in ("if x:\n    flyte.new_condi", "tion(", '"depl', "{[("):
        editor.change(uri, {"range": {"start": end, "end": end}, "text": text})
        assert (await titles(editor, uri))[1:] == ["Approve", "Reject"]
        end = {"line": end["line"] + text.count("\n"), "character": 10**6}


async def test_a_file_of_5_mb_has_lenses(editor: EditorClient, tmp_path: Path) -> None:
    await create(editor)
    filler = "def filler(x: int) -> int:\n    return [x * item for item in range(10)][0]\n\n\n"
    text = filler * (5_000_000 // len(filler)) + WORKFLOW
    uri = await open_with_lenses(editor, tmp_path / "workflow.py", text)
    line = filler.count("\n") * (5_000_000 // len(filler))
    start = {"line": line - 4, "character": 0}
    editor.change(uri, {"range": {"start": start, "end": start}, "text": "# moved\n"})
    lenses = await editor.lenses(uri)
    assert {lens["range"]["start"]["line"] for lens in lenses} == {line + DEPLOY + 1}


async def test_a_trace_is_sent_only_while_the_editor_wants_one(
    editor: EditorClient, tmp_path: Path
) -> None:
    def traces() -> list[Any]:
        return [m["params"] for m in editor.received if m.get("method") == "$/logTrace"]

    uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
    await editor.symbols(uri)
    assert traces() == []
    editor.set_trace("messages")
    await editor.symbols(uri)
    await editor.until(traces)
    assert traces()[0]["message"].startswith("textDocument/documentSymbol: ")
    assert "verbose" not in traces()[0]
    editor.set_trace("verbose")
    await editor.symbols(uri)
    await editor.until(lambda: "verbose" in traces()[-1])
    editor.set_trace("off")
    sent = len(traces())
    await editor.symbols(uri)
    assert len(traces()) == sent


async def test_settings_select_another_backend_for_all_methods(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    editor = await start_editor(options={"store": str(first)})
    await create(editor)
    uri = await open_with_lenses(editor, tmp_path / "workflow.py")
    waiting = asyncio.ensure_future(editor.request("events.wait", runName="r1", name="deploy"))
    approve = (await editor.lenses(uri))[1]["command"]
    editor.notify(
        "workspace/didChangeConfiguration", settings={"flyteSidecar": {"store": str(second)}}
    )
    await editor.until(lambda: editor.shown)
    assert str(second) in editor.shown.pop()
    while await editor.lenses(uri):
        await editor.until(lambda: editor.refreshes)
    assert (await editor.request("events.list", runName="r1"))["events"] == []
    assert await editor.execute(approve) is None
    await editor.until(lambda: editor.shown)
    editor.notify("workspace/didChangeConfiguration", settings={"flyteSidecar": {}})
    while not await editor.lenses(uri):
        await editor.until(lambda: editor.refreshes)
    assert not waiting.done()
    await editor.execute(approve)
    assert (await waiting)["payload"] is True


async def select_stores(editor: EditorClient, *paths: Path) -> None:
    """Select one store after the other, and use each."""
    for path in paths:
        settings = {"flyteSidecar": {"store": str(path)}}
        editor.notify("workspace/didChangeConfiguration", settings=settings)
        async with asyncio.timeout(TEST_TIMEOUT):
            while not path.exists():
                await editor.request("events.list", runName="r1")


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="the open files are read from /proc")
async def test_few_of_the_stores_that_were_selected_stay_open(
    editor: EditorClient, tmp_path: Path
) -> None:
    def open_stores() -> set[str]:
        folder = Path(f"/proc/{editor.client.process.pid}/fd")
        names = {os.readlink(file) for file in folder.iterdir() if file.is_symlink()}
        return {name for name in names if name.endswith(".selected")}

    stores = [tmp_path / f"{number}.selected" for number in range(3 * MAX_OPEN)]
    await select_stores(editor, *stores)
    async with asyncio.timeout(TEST_TIMEOUT):
        while len(open_stores()) > MAX_OPEN:
            await editor.request("sidecar.status")
    assert str(stores[-1]) in open_stores()


async def test_a_wait_keeps_its_backend_open(editor: EditorClient, tmp_path: Path) -> None:
    first = tmp_path / "first.db"
    await select_stores(editor, first)
    await create(editor)
    waiting = asyncio.ensure_future(editor.request("events.wait", runName="r1", name="deploy"))
    while (await editor.request("sidecar.status"))["counters"]["waits"] == 0:
        pass
    await select_stores(editor, *(tmp_path / f"{number}.db" for number in range(2 * MAX_OPEN)))
    assert not waiting.done()
    async with Client.spawn("--store", str(first)) as other:
        await other.request("events.signal", runName="r1", name="deploy", payload=True)
    assert (await waiting)["payload"] is True


async def test_invalid_settings_are_reported_and_the_others_apply(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    editor = await start_editor(options={"backend": "flyte", "lenses": False, "runs": 5})
    await editor.until(lambda: editor.shown)
    assert "endpoint" in editor.shown[0]
    assert "flyteSidecar.runs" in editor.shown[0]
    await create(editor)
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
    assert await editor.lenses(uri) == []


async def test_a_failure_of_the_next_backend_is_shown_too(
    editor: EditorClient, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        path = tmp_path / f"{name}.txt"
        path.write_text("no store")
        settings = {"flyteSidecar": {"store": str(path)}}
        editor.notify("workspace/didChangeConfiguration", settings=settings)
        await editor.until(
            lambda name=name: any("not up" in t and f"{name}.txt" in t for t in editor.shown)
        )


async def test_an_editor_without_a_settings_notification_is_asked_for_them(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    editor = await start_editor()
    await create(editor)
    uri = await open_with_lenses(editor, tmp_path / "workflow.py")
    editor.settings = {"runs": ["other-*"]}
    editor.notify("workspace/didChangeConfiguration", settings=None)
    while await editor.lenses(uri):
        await editor.until(lambda: editor.refreshes)


async def test_settings_are_read_from_an_editor_that_ignores_registrations(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    capabilities = recorded_capabilities("visual-studio-code")
    assert capabilities["workspace"]["didChangeConfiguration"]["dynamicRegistration"]
    editor = await start_editor(capabilities=capabilities)
    editor.ignored.add("client/registerCapability")
    editor.settings = {"lenses": "never"}
    await editor.until(lambda: any("flyteSidecar.lenses" in text for text in editor.shown))
