"""Questions and commands of editors, each with its own sidecar process on one store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.conftest import TEST_TIMEOUT
from tests.lsp.conftest import StartEditor
from tests.lsp.editor_client import EDITORS, EditorClient, Question
from tests.lsp.test_features import create


async def ready(editor: EditorClient) -> EditorClient:
    """Wait until an editor is asked about events that start to wait from now on."""
    editor.set_trace("verbose")
    async with asyncio.timeout(TEST_TIMEOUT):
        while not any("events: ready" in str(message) for message in editor.received):
            await editor.symbols("file:///closed.py")
    editor.notify("$/setTrace", value="off")
    await editor.symbols("file:///closed.py")  # what was traced before has arrived
    editor.set_trace("off")
    return editor


def questions(editors: Sequence[EditorClient], event: Any) -> list[Question]:
    """Return the open questions about an event."""
    return [
        question
        for editor in editors
        for question in editor.questions
        if f"({event['name']})" in question.message
    ]


async def asked(editors: Sequence[EditorClient], event: Any) -> Question:
    """Wait until one of the editors asks about an event; fails if several do."""
    waits = [
        asyncio.ensure_future(editor.until(lambda: questions(editors, event))) for editor in editors
    ]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    [question] = questions(editors, event)
    return question


async def resolved(editor: EditorClient, event: Any) -> Any:
    target = {"runName": event["runName"], "actionName": event["actionName"]}
    return await editor.request("events.wait", **target)


async def test_one_of_all_editors_asks_and_its_answer_ends_the_wait(
    start_editor: StartEditor,
) -> None:
    editors = [await ready(await start_editor(editor=name)) for name in EDITORS]
    events = [await create(editors[0], f"deploy-{number}") for number in range(6)]
    for event in events:
        (await asked(editors, event)).answer("Approve r1")
        assert (await resolved(editors[1], event))["payload"] is True
    for event in events:
        assert questions(editors, event) == []


async def test_a_question_is_not_asked_again_after_a_restart(start_editor: StartEditor) -> None:
    first = await ready(await start_editor())
    event = await create(first)
    await asked([first], event)
    second = await ready(await start_editor())
    other = await create(second, "other")
    await asked([first, second], other)
    assert second.questions == questions([second], other)


async def test_a_question_about_an_answered_event_changes_nothing(
    start_editor: StartEditor,
) -> None:
    editor, elsewhere = await ready(await start_editor()), await start_editor()
    event = await create(editor)
    question = await asked([editor], event)
    await elsewhere.request("events.signal", runName="r1", name="deploy", payload=False)
    question.answer("Approve r1")
    await editor.until(lambda: editor.shown)
    assert "Nothing was changed: deploy of run r1 was rejected" in editor.shown[0]
    assert (await resolved(editor, event))["payload"] is False


@pytest.mark.parametrize("settings", [{"asking": False}, {"askingRuns": ["x*"]}])
async def test_the_settings_restrict_the_questions(
    start_editor: StartEditor, settings: Any
) -> None:
    editor = await ready(await start_editor(options=settings))
    await create(editor, "silent")
    editor.notify("workspace/didChangeConfiguration", settings={"flyteSidecar": {"asking": True}})
    await editor.symbols("file:///closed.py")  # the settings have been read
    event = await create(editor, "loud", run="x1")
    await asked([editor], event)
    assert len(editor.questions) == 1


async def test_a_command_responds_before_it_asks(start_editor: StartEditor) -> None:
    editor = await ready(await start_editor(options={"asking": False}))
    event = await create(editor)
    arguments = [{"runName": "r1", "actionName": event["actionName"]}]
    await editor.execute({"command": "flyteSidecar.signal", "arguments": arguments})
    assert editor.questions == []
    (await asked([editor], event)).answer("Reject r1")
    assert (await resolved(editor, event))["payload"] is False


async def test_a_command_returns_the_event_as_other_methods_do(start_editor: StartEditor) -> None:
    editor = await start_editor()
    await create(editor, "count", expectedType="int")
    arguments = ["r1", "count", "9223372036854775807"]
    command = {"command": "flyteSidecar.signal", "arguments": arguments}
    result = await editor.execute(command)
    assert result["payload"] == "9223372036854775807"
    assert result == await editor.request("events.get", runName="r1", name="count")


async def test_progress_is_shown_while_a_deployment_is_unreachable(
    start_editor: StartEditor, free_tcp_port: int
) -> None:
    endpoint = f"localhost:{free_tcp_port}"
    options = f"--backend flyte --endpoint {endpoint} --insecure --project p --domain d"
    editor = await start_editor(*options.split())

    def progress() -> list[Any]:
        sent = [m["params"]["value"] for m in editor.received if m.get("method") == "$/progress"]
        return [value for value in sent if value["kind"] == "report"] and sent

    begin, *reports = await editor.until(progress)
    assert begin["kind"] == "begin"
    assert endpoint in begin["title"]
    assert all(value["kind"] == "report" and value["message"] for value in reports)
