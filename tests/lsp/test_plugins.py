"""The messages for plugins, between real processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.errors import InternalError
from flyte_sidecar.events.service import EventService
from tests.lsp.conftest import StartEditor
from tests.lsp.editor_client import EditorClient, recorded_capabilities
from tests.lsp.plugin import CAPABILITIES, PluginEvents
from tests.lsp.test_answering import ready
from tests.lsp.test_features import create
from tests.lsp.test_followed_events import make

Json = Any


class Plugin(PluginEvents):
    """A plugin of a scripted editor."""

    def __init__(self, editor: EditorClient) -> None:
        super().__init__()
        self.editor = editor
        self._applied = 0

    async def until(self, condition: Any) -> None:
        """Wait until a condition on the events holds."""

        def holds() -> Any:
            for message in self.editor.received[self._applied :]:
                if message.get("method") == "flyteSidecar/events":
                    self.apply(message["params"])
            self._applied = len(self.editor.received)
            return condition()

        await self.editor.until(holds)

    async def run(self, command: str, *arguments: Json) -> Json:
        return await self.editor.execute(
            {"command": f"flyteSidecar.{command}", "arguments": [*arguments]}
        )


@pytest.fixture
async def plugin(start_editor: StartEditor) -> Plugin:
    return await start_plugin(start_editor)


async def start_plugin(start_editor: StartEditor, *arguments: str, **options: Any) -> Plugin:
    capabilities = recorded_capabilities("visual-studio-code") | CAPABILITIES
    plugin = Plugin(await start_editor(*arguments, capabilities=capabilities, **options))
    await plugin.until(lambda: plugin.phases[-1:] == ["ready"])
    return plugin


async def first(waits: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Wait until the first of several waits ends."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def test_a_plugin_learns_what_waits_and_how_it_ends(
    start_editor: StartEditor, plugin: Plugin
) -> None:
    await create(plugin.editor, "count", expectedType="int", prompt="How many?")
    await create(plugin.editor, "deploy", run="r2")
    await plugin.until(lambda: plugin.names == {"count", "deploy"})
    other = await start_plugin(start_editor)  # in another window
    assert other.waiting == plugin.waiting
    assert plugin.argument("count")["prompt"] == "How many?"

    assert (await plugin.run("answer", plugin.argument("count"), " 12 "))["payload"] == 12
    await other.run("abort", other.argument("deploy"), "not now")
    for window in (plugin, other):
        await window.until(lambda window=window: len(window.ended) == 2)
        ended = {event["name"]: event for event in window.ended}
        assert ended["count"]["payload"] == 12
        assert ended["deploy"]["abortReason"] == "not now"
        assert window.waiting == {}


async def test_a_text_that_is_no_answer_changes_nothing(plugin: Plugin) -> None:
    await create(plugin.editor, "count", expectedType="int")
    await plugin.until(lambda: plugin.names == {"count"})
    assert await plugin.run("checkAnswer", "int", "12") is None
    problem = "The event expects a whole number of at most 64 bits."
    assert await plugin.run("checkAnswer", "int", "twelve") == problem
    assert await plugin.run("answer", plugin.argument("count"), "twelve") is None
    await plugin.editor.until(lambda: plugin.editor.shown)
    assert plugin.editor.shown == [f"Nothing was changed: t{problem[1:]}"]
    assert plugin.names == {"count"}


async def test_the_settings_select_the_events_of_a_plugin(
    plugin: Plugin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for run in ("r1", "x1"):
        await create(plugin.editor, "deploy", run=run)
    await plugin.until(lambda: len(plugin.waiting) == 2)

    async def configure(**settings: Json) -> None:
        plugin.editor.notify(
            "workspace/didChangeConfiguration", settings={"flyteSidecar": settings}
        )

    await configure(runs=["x*"])
    await plugin.until(lambda: len(plugin.waiting) == 1 and plugin.phases[-1] == "ready")
    assert plugin.argument("deploy")["runName"] == "x1"
    seen = plugin.argument("deploy")

    await configure(store=str(tmp_path_factory.mktemp("other") / "events.db"))
    await plugin.until(lambda: plugin.waiting == {} and plugin.backend != seen["backend"])
    assert await plugin.run("approve", seen) is None
    assert "another backend" in plugin.editor.shown[-1]


async def test_a_plugin_learns_nothing_more_of_the_previous_backend(
    plugin: Plugin, store: Path, tmp_path: Path
) -> None:
    before = plugin.backend
    settings = {"flyteSidecar": {"store": str(tmp_path / "other.db")}}
    plugin.editor.notify("workspace/didChangeConfiguration", settings=settings)
    await plugin.until(lambda: plugin.backend != before and plugin.phases[-1] == "ready")
    previous = LocalBackend(store)
    await make(EventService(previous), "late")
    await previous.close()
    await create(plugin.editor)
    await plugin.until(lambda: "deploy" in plugin.names)
    assert plugin.names == {"deploy"}


async def test_one_plugin_of_all_windows_asks_and_its_command_answers(
    start_editor: StartEditor,
) -> None:
    windows = [await start_plugin(start_editor) for _ in range(2)]
    await create(windows[0].editor, prompt="Deploy?")
    for window in windows:
        await window.until(lambda window=window: window.names == {"deploy"})
    await first(
        window.editor.until(lambda: [w for w in windows if w.editor.asked]) for window in windows
    )
    [window] = [window for window in windows if window.editor.asked]
    [params] = window.editor.asked
    assert params["message"] == "r1 asks: Deploy? (deploy)"
    event = {**params["event"], "backend": params["backend"]}
    assert (await window.run("approve", event))["payload"] is True
    for window in windows:
        await window.until(lambda window=window: window.ended)
        assert window.editor.questions == []
    assert len([params for window in windows for params in window.editor.asked]) == 1


async def test_a_question_of_a_plugin_is_withdrawn_once_its_event_has_ended(
    start_editor: StartEditor,
) -> None:
    editor = (await start_plugin(start_editor)).editor
    editor.ignored.add("flyteSidecar/ask")

    def received(method: str) -> list[Json]:
        return [message for message in editor.received if message.get("method") == method]

    await create(editor)
    await editor.until(lambda: received("flyteSidecar/ask"))
    assert received("$/cancelRequest") == []
    await editor.request("events.signal", runName="r1", name="deploy", payload=True)
    [question] = received("flyteSidecar/ask")
    [withdrawn] = await editor.until(lambda: received("$/cancelRequest"))
    assert withdrawn["params"]["id"] == question["id"]


async def test_a_plugin_learns_what_waits_before_the_language_server_is_loaded(
    start_editor: StartEditor, plugin: Plugin, tmp_path: Path
) -> None:
    await create(plugin.editor)
    package = tmp_path / "modules" / "lsprotocol"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError")
    env = {**os.environ, "PYTHONPATH": str(package.parent)}
    with (tmp_path / "log").open("wb") as log:
        other = await start_plugin(start_editor, env=env, stderr=log)
        assert other.names == {"deploy"}
        with pytest.raises(InternalError):
            await other.run("refresh")


async def test_an_editor_without_a_plugin_gets_none_of_its_messages(
    start_editor: StartEditor,
) -> None:
    editor = await ready(await start_editor())
    await create(editor)
    await editor.until(lambda: editor.questions)
    methods = {message.get("method", "") for message in editor.received}
    assert not [method for method in methods if method.startswith("flyteSidecar/")]
