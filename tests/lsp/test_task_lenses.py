"""The lenses that run tasks, in editors whose plugin can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.lsp.features.lenses import MAX_TASKS
from tests.lsp.conftest import StartEditor
from tests.lsp.editor_client import EditorClient, recorded_capabilities

WORKFLOW = """\
import flyte
env = flyte.TaskEnvironment(name="release")

@env.task
async def release() -> bool:
    return flyte.new_condition("deploy").wait()

@env.task(
    cache="auto",
)
def train(dataset: str, learning_rate: float, epochs: int = 3) -> None: ...
"""

PLUGIN = recorded_capabilities("visual-studio-code") | {
    "experimental": {"flyteSidecar": {"runLocally": True}}
}


@pytest.fixture
async def editor(start_editor: StartEditor) -> EditorClient:
    return await start_editor(capabilities=PLUGIN)


async def lenses(editor: EditorClient, uri: str) -> list[tuple[int, str, Any]]:
    """Return the line, the title and the argument of each lens."""
    found = []
    for lens in await editor.lenses(uri):
        (argument,) = lens["command"]["arguments"]
        found.append((lens["range"]["start"]["line"], lens["command"]["title"], argument))
    return found


async def test_a_task_has_a_lens_that_runs_it(editor: EditorClient, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
    parameters = ["dataset", "learning_rate"]
    assert await lenses(editor, uri) == [
        (3, "Run Locally", {"uri": uri, "task": "release", "parameters": []}),
        (7, "Run Locally…", {"uri": uri, "task": "train", "parameters": parameters}),
    ]
    assert {each["command"]["command"] for each in await editor.lenses(uri)} == {
        "flyteSidecar.runLocally"
    }


async def test_the_lenses_of_events_stay(editor: EditorClient, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
    await editor.request("events.create", runName="r1", name="deploy")
    while len(found := await lenses(editor, uri)) < 5:
        await editor.until(lambda: editor.refreshes)
    assert [line for line, _, _ in found] == [5, 5, 5, 3, 7]


async def test_a_limited_number_of_tasks_has_a_lens(editor: EditorClient, tmp_path: Path) -> None:
    tasks = "".join(f"@env.task\ndef t{number}(): ...\n" for number in range(MAX_TASKS + 1))
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW + tasks)
    assert len(await lenses(editor, uri)) == MAX_TASKS


async def test_a_document_that_is_no_file_has_none(editor: EditorClient) -> None:
    assert await editor.lenses(editor.open("untitled:Untitled-1", WORKFLOW)) == []


async def test_the_setting_hides_them(editor: EditorClient, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
    settings = {"flyteSidecar": {"lenses": False}}
    editor.notify("workspace/didChangeConfiguration", settings=settings)
    while await editor.lenses(uri):
        await editor.until(lambda: editor.refreshes)


async def test_an_editor_without_a_plugin_has_none(
    start_editor: StartEditor, tmp_path: Path
) -> None:
    editor = await start_editor()
    assert await editor.lenses(editor.open(tmp_path / "workflow.py", WORKFLOW)) == []
