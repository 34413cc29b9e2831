"""The language server on a Flyte deployment, from a real process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployment import SCOPE, scoped_options
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.lsp.conftest import StartEditor
from tests.lsp.test_features import DEPLOY, WORKFLOW, open_with_lenses, titles

TWO_TASKS = """\
import flyte

env = flyte.TaskEnvironment(name="release")


@env.task
async def first() -> None:
    await flyte.new_condition.aio("deploy")


@env.task
async def second() -> None:
    await flyte.new_condition.aio("deploy")
"""
IN_FIRST, IN_SECOND = 7, 12


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Model("2.0.43")) as server:
        yield server


async def test_a_lens_answers_an_event_of_a_deployment(
    server: Server, start_editor: StartEditor, tmp_path: Path
) -> None:
    server.model.start_run("r1", "release.release", **SCOPE)
    action = server.model.ask("r1", "deploy", **SCOPE)
    editor = await start_editor(*scoped_options(server.endpoint))
    uri = await open_with_lenses(editor, tmp_path / "workflow.py", WORKFLOW)
    assert {lens["range"]["start"]["line"] for lens in await editor.lenses(uri)} == {DEPLOY}
    approve = (await editor.lenses(uri))[1]["command"]
    answered = await editor.execute(approve)
    assert (answered["actionName"], answered["payload"]) == (action, True)
    assert server.model.action("r1", action, **SCOPE).payload is True
    while await editor.lenses(uri):
        await editor.until(lambda: editor.refreshes)


async def test_lenses_of_an_event_are_shown_in_the_task_that_created_it(
    server: Server, start_editor: StartEditor, tmp_path: Path
) -> None:
    server.model.start_run("r1", "main", **SCOPE)
    task = server.model.task("r1", "release.second", **SCOPE)
    server.model.ask("r1", "deploy", parent=task, **SCOPE)
    editor = await start_editor(*scoped_options(server.endpoint))
    uri = await open_with_lenses(editor, tmp_path / "workflow.py", TWO_TASKS)
    while {lens["range"]["start"]["line"] for lens in await editor.lenses(uri)} != {IN_SECOND}:
        await editor.until(lambda: editor.refreshes)


async def test_a_hover_shows_the_answers_to_the_task_that_contains_it(
    server: Server, start_editor: StartEditor, tmp_path: Path
) -> None:
    server.model.start_run("r1", "main", **SCOPE)
    task = server.model.task("r1", "release.second", **SCOPE)
    action = server.model.ask("r1", "deploy", parent=task, **SCOPE)
    server.model.signal_directly("r1", action, True, **SCOPE)
    editor = await start_editor(*scoped_options(server.endpoint))
    uri = editor.open(tmp_path / "workflow.py", TWO_TASKS)
    while "approved" in (await editor.hover(uri, IN_FIRST, 25) or ""):
        pass  # the task is looked up in the background
    assert "approved" in (await editor.hover(uri, IN_SECOND, 25) or "")


async def test_settings_select_a_deployment(
    server: Server, start_editor: StartEditor, tmp_path: Path
) -> None:
    server.model.start_run("r1", "release.release", **SCOPE)
    server.model.ask("r1", "deploy", **SCOPE)
    editor = await start_editor()
    uri = editor.open(tmp_path / "workflow.py", WORKFLOW)
    assert await editor.lenses(uri) == []
    deployment = {"backend": "flyte", "endpoint": server.endpoint, "insecure": True, **SCOPE}
    editor.notify("workspace/didChangeConfiguration", settings={"flyteSidecar": deployment})
    while not await titles(editor, uri):
        await editor.until(lambda: editor.refreshes)
    status = await editor.request("sidecar.status")
    assert status["backend"]["endpoint"] == server.endpoint
