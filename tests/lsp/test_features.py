"""What editors get at the conditions that a file declares, from a real process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.lsp.features.offers import MAX_DECLARATIONS
from tests.lsp.conftest import StartEditor
from tests.lsp.editor_client import EDITORS, EditorClient, recorded_capabilities

WORKFLOW = """\
import flyte
from flyte.remote import Condition

env = flyte.TaskEnvironment(name="release")


@env.task
async def release() -> bool:
    deploy = await flyte.new_condition.aio("deploy", prompt="Deploy?", data_type=bool)
    threshold = flyte.new_condition("threshold", data_type=float)
    return await deploy.wait.aio()


condition = Condition.get("deploy", run_name="r1")
"""
DEPLOY, THRESHOLD, GET = 8, 9, 13
"""The lines of the declarations and of a reference."""


@pytest.fixture
async def editor(start_editor: StartEditor) -> EditorClient:
    return await start_editor()


def path(tmp_path: Path) -> Path:
    return tmp_path / "workflow.py"


async def create(editor: EditorClient, name: str = "deploy", run: str = "r1", **more: Any) -> Any:
    return await editor.request("events.create", runName=run, name=name, **more)


async def titles(editor: EditorClient, uri: str) -> list[str]:
    return [lens["command"]["title"] for lens in await editor.lenses(uri)]


async def open_with_lenses(editor: EditorClient, path: Path, text: str = WORKFLOW) -> str:
    """Open a document, and wait until it has lenses."""
    uri = editor.open(path, text)
    while not await editor.lenses(uri):
        await editor.until(lambda: editor.refreshes)
    return uri


@pytest.mark.parametrize("name", EDITORS)
async def test_the_declaration_of_a_waiting_event_has_lenses(
    start_editor: StartEditor, tmp_path: Path, name: str
) -> None:
    editor = await start_editor(editor=name)
    created = await create(editor)
    uri = editor.open(path(tmp_path), WORKFLOW)
    lenses = await editor.lenses(uri)
    first, *answers = (lens["command"] for lens in lenses)
    assert first["title"].startswith("1 waiting · since ")
    assert [answer["title"] for answer in answers] == ["Approve", "Reject"]
    assert {lens["range"]["start"]["line"] for lens in lenses} == {DEPLOY}
    for answer in answers:
        (event,) = answer["arguments"]
        assert (event["runName"], event["actionName"]) == ("r1", created["actionName"])


async def test_answers_are_offered_at_a_limited_number_of_declarations(
    editor: EditorClient, tmp_path: Path
) -> None:
    await create(editor)
    declaration = 'flyte.new_condition("deploy")\n'
    text = "import flyte\n" + (MAX_DECLARATIONS + 1) * declaration
    uri = await open_with_lenses(editor, path(tmp_path), text)
    lenses = await editor.lenses(uri)
    lines = [lens["range"]["start"]["line"] for lens in lenses]
    assert sorted({*lines}) == [*range(1, MAX_DECLARATIONS + 1)]
    assert await editor.actions(uri, MAX_DECLARATIONS + 1) != []


async def test_a_lens_answers_the_event_and_disappears(
    editor: EditorClient, tmp_path: Path
) -> None:
    created = await create(editor)
    uri = await open_with_lenses(editor, path(tmp_path))
    refreshes = editor.refreshes
    approve = (await editor.lenses(uri))[1]["command"]
    answered = await editor.execute(approve)
    assert (answered["actionName"], answered["payload"]) == (created["actionName"], True)
    await editor.until(lambda: editor.refreshes > refreshes)
    assert await editor.lenses(uri) == []


async def test_a_stale_lens_answers_nothing_and_reports_what_happened(
    editor: EditorClient, tmp_path: Path
) -> None:
    await create(editor)
    uri = await open_with_lenses(editor, path(tmp_path))
    reject = (await editor.lenses(uri))[2]["command"]
    await editor.request("events.signal", runName="r1", name="deploy", payload=True)
    second = await create(editor, parent="a1")
    assert await editor.execute(reject) is None
    await editor.until(lambda: editor.shown)
    assert "was approved" in editor.shown[-1]
    event = await editor.request("events.get", runName="r1", actionName=second["actionName"])
    assert event["pending"]


async def test_several_runs_have_their_own_answers(editor: EditorClient, tmp_path: Path) -> None:
    for run in ("r1", "r2"):
        await create(editor, run=run)
    uri = editor.open(path(tmp_path), WORKFLOW)
    while len(shown := await titles(editor, uri)) < 5:
        await editor.until(lambda: editor.refreshes)
    assert shown[0].startswith("2 waiting · since ")
    assert shown[1:] == ["Approve r1", "Reject r1", "Approve r2", "Reject r2"]
    # Neovim sorts the lenses of a line by their starts.
    starts = [lens["range"]["start"]["character"] for lens in await editor.lenses(uri)]
    assert starts == sorted(set(starts))


async def test_other_types_than_bool_offer_a_message_that_says_how_to_answer(
    editor: EditorClient, tmp_path: Path
) -> None:
    await create(editor, "threshold", expectedType="float")
    uri = await open_with_lenses(editor, path(tmp_path))
    _, answer = [lens["command"] for lens in await editor.lenses(uri)]
    assert answer["title"] == "Answer…"
    assert await editor.execute(answer) is None
    await editor.until(lambda: editor.shown)
    assert "flyteSidecar.signal" in editor.shown[-1]
    event = await editor.execute({**answer, "arguments": [*answer["arguments"], 0.5]})
    assert (event["phase"], event["payload"]) == ("SUCCEEDED", 0.5)


@pytest.mark.parametrize("name", EDITORS)
async def test_a_code_action_offers_the_same_commands(
    start_editor: StartEditor, tmp_path: Path, name: str
) -> None:
    editor = await start_editor(editor=name)
    await create(editor)
    uri = editor.open(path(tmp_path), WORKFLOW)
    actions = await editor.actions(uri, DEPLOY)
    commands = [lens["command"] for lens in await editor.lenses(uri)]
    assert [action["command"] for action in actions] == commands
    assert all("kind" not in action for action in actions)
    assert await editor.actions(uri, THRESHOLD) == []
    assert await editor.actions(uri, DEPLOY, only=["source.fixAll"]) == []


async def test_a_client_without_code_action_literals_gets_commands(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    editor = await start_editor(capabilities={"textDocument": {"codeAction": {}}})
    await create(editor)
    uri = editor.open(path(tmp_path), WORKFLOW)
    actions = await editor.actions(uri, DEPLOY)
    assert all(isinstance(action["command"], str) for action in actions)


async def test_a_hover_shows_the_event_and_its_answer(editor: EditorClient, tmp_path: Path) -> None:
    await create(editor, prompt="Deploy **now**?", promptType="markdown", description="to prod")
    uri = await open_with_lenses(editor, path(tmp_path))
    text = await editor.hover(uri, DEPLOY, 30)
    assert text is not None
    for part in ("Deploy **now**?", "to prod", "bool", "r1"):
        assert part in text
    await editor.request("events.signal", runName="r1", name="deploy", payload=False)
    answered = await editor.hover(uri, DEPLOY, 30)
    assert answered is not None
    assert "rejected by" in answered
    assert await editor.hover(uri, 0, 0) is None


@pytest.mark.parametrize("name", EDITORS)
async def test_the_declared_events_are_the_symbols_of_a_document(
    start_editor: StartEditor, tmp_path: Path, name: str
) -> None:
    editor = await start_editor(editor=name)
    uri = editor.open(path(tmp_path), WORKFLOW)
    symbols = await editor.symbols(uri)
    assert [symbol["name"] for symbol in symbols] == ["deploy", "threshold"]
    nested = [symbol.get("range") or symbol["location"]["range"] for symbol in symbols]
    assert [place["start"]["line"] for place in nested] == [DEPLOY, THRESHOLD]


async def test_event_names_are_completed_in_a_string_that_names_an_event(
    editor: EditorClient, tmp_path: Path
) -> None:
    await create(editor, "from-elsewhere")
    await create(editor, 'needs "quotes"', parent="a1")
    uri = editor.open(path(tmp_path), WORKFLOW)
    while "from-elsewhere" not in (names := await editor.completions(uri, GET, 30)):
        pass
    assert sorted(names) == ["deploy", "from-elsewhere", "threshold"]
    assert await editor.completions(uri, DEPLOY, 60) == []


async def test_a_completion_replaces_the_whole_string(editor: EditorClient, tmp_path: Path) -> None:
    uri = editor.open(path(tmp_path), WORKFLOW)
    position = {"line": GET, "character": 30}
    found = await editor.request(
        "textDocument/completion", textDocument={"uri": uri}, position=position
    )
    start = WORKFLOW.splitlines()[GET].index("deploy")
    assert {
        (
            item["textEdit"]["range"]["start"]["character"],
            item["textEdit"]["range"]["end"]["character"],
        )
        for item in found["items"]
    } == {(start, start + len("deploy"))}


@pytest.mark.parametrize("method", ["definition", "declaration"])
async def test_an_event_name_leads_to_its_declaration(
    editor: EditorClient, tmp_path: Path, method: str
) -> None:
    uri = editor.open(path(tmp_path), WORKFLOW)
    position = {"line": GET, "character": 30}
    (found,) = await editor.request(
        f"textDocument/{method}", textDocument={"uri": uri}, position=position
    )
    assert (found["uri"], found["range"]["start"]["line"]) == (uri, DEPLOY)


async def test_an_event_name_leads_to_its_declaration_in_another_file_of_the_workspace(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    (folder / "flows").mkdir(parents=True)
    (folder / ".venv").mkdir()
    declaring = folder / "flows" / "release.py"
    declaring.write_text(WORKFLOW.replace("Condition.get(", "print("))
    (folder / ".venv" / "copy.py").write_text(WORKFLOW)
    (folder / "broken.py").write_bytes(b'\xff\xfe new_condition("deploy")')
    editor = await start_editor(folder=folder)
    text = 'from flyte.remote import Condition\nCondition.get("deploy", run_name="r1")\n'
    uri = editor.open(folder / "answer.py", text)
    (found,) = await editor.definition(uri, 1, 18)
    assert (found["uri"], found["range"]["start"]["line"]) == (declaring.as_uri(), DEPLOY)


async def test_the_symbols_of_the_workspace_are_the_events_that_its_files_declare(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    closed = tmp_path / "closed.py"
    closed.write_text('import flyte\nflyte.new_condition("redeploy")\n')
    (tmp_path / "opened.py").write_text(WORKFLOW.replace('"deploy"', '"deploy before an edit"'))
    editor = await start_editor(folder=tmp_path)
    opened = editor.open(tmp_path / "opened.py", WORKFLOW)
    found = await editor.request("workspace/symbol", query="DEPLOY")
    places = {
        (each["location"]["uri"], each["location"]["range"]["start"]["line"], each["name"])
        for each in found
    }
    assert places == {(opened, DEPLOY, "deploy"), (closed.as_uri(), 1, "redeploy")}
    everything = await editor.request("workspace/symbol", query="")
    assert [each["name"] for each in everything] == ["deploy", "threshold", "redeploy"]


TWICE = WORKFLOW.replace('"threshold"', '"deploy"')


async def test_problems_are_published_to_editors_that_do_not_request_them(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    editor = await start_editor(editor="emacs")
    uri = editor.open(path(tmp_path), TWICE)
    (problem,) = await editor.until(lambda: editor.diagnostics.get(uri))
    assert (problem["source"], problem["range"]["start"]["line"]) == ("flyte-sidecar", THRESHOLD)
    editor.change(uri, {"text": WORKFLOW})
    await editor.until(lambda: editor.diagnostics[uri] == [])
    editor.change(uri, {"text": TWICE})
    await editor.until(lambda: editor.diagnostics[uri])
    editor.close(uri)
    await editor.until(lambda: editor.diagnostics[uri] == [])


async def test_problems_are_returned_to_editors_that_request_them(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    capabilities = recorded_capabilities("visual-studio-code")
    capabilities["textDocument"]["diagnostic"] = {}
    editor = await start_editor(capabilities=capabilities)
    uri = editor.open(path(tmp_path), TWICE)
    report = await editor.request("textDocument/diagnostic", textDocument={"uri": uri})
    assert [item["range"]["start"]["line"] for item in report["items"]] == [THRESHOLD]
    assert editor.diagnostics == {}


async def test_the_prompt_of_an_event_is_shown_as_a_document(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    capabilities = recorded_capabilities("visual-studio-code")
    capabilities["workspace"]["textDocumentContent"] = {}
    editor = await start_editor(capabilities=capabilities)
    assert editor.server["capabilities"]["workspace"]["textDocumentContent"] == {
        "schemes": ["flyte-event"]
    }
    await create(editor, prompt="# Deploy\n\n- to *prod*", promptType="markdown")
    uri = await open_with_lenses(editor, path(tmp_path))
    await editor.execute((await editor.lenses(uri))[0]["command"])
    (shown,) = await editor.until(lambda: editor.opened)
    document = await editor.request("workspace/textDocumentContent", uri=shown)
    assert "- to *prod*" in document["text"]
