"""A scripted editor: it drives a sidecar process, and checks every message of the process."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from lsprotocol.converters import get_converter
from pytest_lsp import client_capabilities

from flyte_sidecar.client import Client
from tests.conftest import TEST_TIMEOUT
from tests.lsp.meta_model import MetaModel
from tests.lsp.permissions import Permissions

Json = Any
EDITORS = ("visual-studio-code", "neovim", "emacs")

SIDECAR_MEMBERS = {"protocolVersion", "schemaHash", "backend"}
"""What the sidecar adds to LSP's result of `initialize`."""


@cache
def _recorded(editor: str) -> str:
    return json.dumps(get_converter().unstructure(client_capabilities(editor)))


def recorded_capabilities(editor: str) -> dict[str, Any]:
    """Return a copy of the capabilities that were recorded from an editor."""
    capabilities: dict[str, Any] = json.loads(_recorded(editor))
    return capabilities


class Question:
    """A `window/showMessageRequest` that the user has not answered."""

    def __init__(self, params: Json, respond: Callable[[Json], None]) -> None:
        self.message: str = params["message"]
        self.options: list[str] = [action["title"] for action in params.get("actions", [])]
        self._respond = respond

    def answer(self, option: str) -> None:
        assert option in self.options, f"{option} is not one of {self.options}"
        self._respond({"title": option})

    def dismiss(self) -> None:
        self._respond(None)


class EditorClient:
    """An editor with recorded capabilities, and with a sidecar as its language server.

    Every message of the sidecar is checked against LSP's metaModel, and against what the editor
    declared in its capabilities. The first one that differs makes the next call fail, and the end
    of the test.

    Attributes
    ----------
    received
        Every message of the sidecar.
    questions
        The questions to the user, until they are answered.
    asked
        The params of each `flyteSidecar/ask`.
    shown
        The messages of `window/showMessage`.
    opened
        The URIs of `window/showDocument`.
    diagnostics
        The published diagnostics by URI.
    refreshes
        How often `workspace/codeLens/refresh` was requested.
    ignored
        The methods of requests that the editor never responds to.
    settings
        The answer to `workspace/configuration`, whatever the section.
    server
        The result of `initialize`.
    """

    def __init__(self, client: Client, capabilities: Json, model: MetaModel) -> None:
        self.client = client
        self.received: list[Json] = []
        self.questions: list[Question] = []
        self.asked: list[Json] = []
        self.shown: list[str] = []
        self.opened: list[str] = []
        self.diagnostics: dict[str, list[Json]] = {}
        self.refreshes = 0
        self.ignored: set[str] = set()
        self.settings: Json = None
        self.server: Json = None
        self._capabilities = capabilities
        self._permissions = Permissions(capabilities)
        self._model = model
        self._methods: dict[int | str, str] = {}
        self._versions: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._error: AssertionError | None = None
        client.on_message = self._on_message

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        model: MetaModel,
        *arguments: str,
        editor: str = "visual-studio-code",
        capabilities: Json = None,
        folder: Path | None = None,
        options: Json = None,
        **spawn_options: Any,
    ) -> AsyncIterator[EditorClient]:
        """Start a sidecar, and send `initialize` and `initialized` as an editor does.

        Parameters
        ----------
        capabilities
            Replace the recorded capabilities of `editor`.
        folder
            The workspace folder; without one, the editor opened a single file.
        options
            The `initializationOptions`.
        """
        if capabilities is None:
            capabilities = recorded_capabilities(editor)
        async with Client.spawn(*arguments, "--stdio", **spawn_options) as client:
            self = cls(client, capabilities, model)
            root = None if folder is None else folder.as_uri()
            folders = [{"uri": root, "name": "workspace"}] if root else None
            self.server = await self.request(
                "initialize",
                processId=os.getpid(),
                clientInfo={"name": editor},
                rootUri=root,
                capabilities=capabilities,
                workspaceFolders=folders,
                **({} if options is None else {"initializationOptions": options}),
            )
            self.notify("initialized")
            yield self
            await self.request("shutdown")
            self.notify("exit")
            assert await client.process.wait() == 0

    async def request(self, method: str, **params: Any) -> Any:
        """Send a request and return its result."""
        result = await self.client.request(method, **params)
        self.check()
        return result

    def notify(self, method: str, **params: Any) -> None:
        """Send a notification; LSP's have params."""
        text = {"jsonrpc": "2.0", "method": method, "params": params}
        self.client.send(json.dumps(text).encode())

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition on what the sidecar sent is true, and return its value."""
        async with asyncio.timeout(TEST_TIMEOUT):
            while True:
                self.check()
                if value := condition():
                    return value
                self._changed.clear()
                await self._changed.wait()

    def check(self) -> None:
        """Raise the error of the first invalid message of the sidecar."""
        if self._error is not None:
            raise self._error

    def can(self, capability: str) -> bool:
        """Return whether the editor declared a capability, such as `workspace.codeLens`."""
        return self._permissions.has(capability)

    def open(self, document: Path | str, text: str, language: str = "python") -> str:
        """Open a document, by its path or URI, and return its URI."""
        uri = document.as_uri() if isinstance(document, Path) else document
        self._versions[uri] = 1
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", textDocument=item)
        return uri

    def change(self, uri: str, *changes: Json) -> None:
        """Send changes, each with `text` and for a part of the document with `range`."""
        self._versions[uri] += 1
        document = {"uri": uri, "version": self._versions[uri]}
        self.notify("textDocument/didChange", textDocument=document, contentChanges=list(changes))

    def close(self, uri: str) -> None:
        del self._versions[uri]
        self.notify("textDocument/didClose", textDocument={"uri": uri})

    def set_trace(self, value: str) -> None:
        self._permissions.trace = value
        self.notify("$/setTrace", value=value)

    async def lenses(self, uri: str) -> list[Json]:
        """Return the code lenses, resolved if the server resolves them on demand."""
        lenses = await self.request("textDocument/codeLens", textDocument={"uri": uri}) or []
        return [
            lens if "command" in lens else await self.request("codeLens/resolve", **lens)
            for lens in lenses
        ]

    async def hover(self, uri: str, line: int, character: int) -> str | None:
        """Return the text of a hover."""
        hover = await self.request("textDocument/hover", **at(uri, line, character))
        return None if hover is None else hover["contents"]["value"]

    async def actions(
        self, uri: str, line: int, character: int = 0, only: Sequence[str] | None = None
    ) -> list[Json]:
        position = {"line": line, "character": character}
        context: Json = {"diagnostics": []} | ({} if only is None else {"only": list(only)})
        document, place = {"uri": uri}, {"start": position, "end": position}
        actions = await self.request(
            "textDocument/codeAction", textDocument=document, range=place, context=context
        )
        return actions or []

    async def symbols(self, uri: str) -> list[Json]:
        return await self.request("textDocument/documentSymbol", textDocument={"uri": uri}) or []

    async def completions(self, uri: str, line: int, character: int) -> list[str]:
        """Return the labels of a completion."""
        found = await self.request("textDocument/completion", **at(uri, line, character)) or []
        return [item["label"] for item in (found["items"] if isinstance(found, dict) else found)]

    async def definition(self, uri: str, line: int, character: int) -> list[Json]:
        found = await self.request("textDocument/definition", **at(uri, line, character))
        return found if isinstance(found, list) else [found] if found else []

    async def execute(self, command: Json) -> Any:
        """Run the command of a lens or an action."""
        params = {"command": command["command"], "arguments": command.get("arguments", [])}
        return await self.request("workspace/executeCommand", **params)

    def _on_message(self, text: bytes, sent: bool) -> None:
        message = json.loads(text)
        try:
            self._on_sent(message) if sent else self._on_received(message)
        except AssertionError as error:
            self._error = self._error or error
        self._changed.set()

    def _on_sent(self, message: Json) -> None:
        method = message.get("method")
        if method is None:
            return
        if "id" in message:
            self._methods[message["id"]] = method
        params = message.get("params", {})
        for token in ("workDoneToken", "partialResultToken"):
            if token in params:
                self._permissions.tokens.add(params[token])
        self._permissions.watches |= method == "events.watch"

    def _on_received(self, message: Json) -> None:
        self.received.append(message)
        if "method" not in message:
            self._on_response(message)
            return
        method = message["method"]
        if "id" in message and method != "flyteSidecar/ask":
            self._model.check_request(message)
        elif self._model.describes(method):
            self._model.check_notification(message)
        self._permissions.check(message)
        params = message.get("params")
        if "id" in message:
            self._on_request(message["id"], method, params)
        elif method == "window/showMessage":
            self.shown.append(params["message"])
        elif method == "textDocument/publishDiagnostics":
            self.diagnostics[params["uri"]] = params["diagnostics"]

    def _on_response(self, message: Json) -> None:
        method = self._methods.pop(message["id"])
        if not self._model.describes(method):
            return
        if method == "initialize" and "result" in message:
            result = {
                name: value
                for name, value in message["result"].items()
                if name not in SIDECAR_MEMBERS
            }
            message = {**message, "result": result}
        self._model.check_response(method, message)
        if "result" in message:
            self._permissions.check_result(method, message["result"])

    def _on_request(self, request_id: int | str, method: str, params: Json) -> None:
        def respond(result: Json) -> None:
            response = {"jsonrpc": "2.0", "id": request_id, "result": result}
            self.client.send(json.dumps(response).encode())

        match method:
            case _ if method in self.ignored:
                pass
            case "window/showMessageRequest":

                def answer(result: Json) -> None:
                    self.questions.remove(question)
                    respond(result)

                question = Question(params, answer)
                self.questions.append(question)
                return
            case "flyteSidecar/ask":
                self.asked.append(params)
                respond(None)
            case "window/showDocument":
                self.opened.append(params["uri"])
                respond({"success": True})
            case "workspace/configuration":
                respond([self.settings for _ in params["items"]])
            case "window/workDoneProgress/create":
                self._permissions.tokens.add(params["token"])
                respond(None)
            case "workspace/codeLens/refresh":
                self.refreshes += 1
                respond(None)
            case _:
                respond(None)


def at(uri: str, line: int, character: int) -> dict[str, Json]:
    """Return the params of a request about a position."""
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
