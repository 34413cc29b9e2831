"""What a server may send to an editor: base messages of LSP, and what the editor declared."""

from __future__ import annotations

from typing import Any

from tests.lsp.meta_model import InvalidMessage

Json = Any

BASE_MESSAGES = {
    "$/cancelRequest",
    "client/registerCapability",
    "textDocument/publishDiagnostics",
    "window/logMessage",
    "window/showMessage",
    "window/showMessageRequest",
}
"""The messages that every editor handles. Registrations are checked one by one."""

REQUIRED_CAPABILITIES = {
    "flyteSidecar/ask": "experimental.flyteSidecar.asking",
    "flyteSidecar/events": "experimental.flyteSidecar.events",
    "sidecar.authEnded": "experimental.flyteSidecar.logins",
    "sidecar.authRequired": "experimental.flyteSidecar.logins",
    "window/showDocument": "window.showDocument.support",
    "window/workDoneProgress/create": "window.workDoneProgress",
    "workspace/codeLens/refresh": "workspace.codeLens.refreshSupport",
    "workspace/configuration": "workspace.configuration",
    "workspace/diagnostic/refresh": "workspace.diagnostics.refreshSupport",
    "workspace/textDocumentContent/refresh": "workspace.textDocumentContent",
    "workspace/workspaceFolders": "workspace.workspaceFolders",
}
"""The capability without which an editor may not handle a message. `workspace/applyEdit` is not
here, since the server edits nothing, and neither is `telemetry/event`."""


class Permissions:
    """Decides whether an editor with certain capabilities handles a message of the server.

    Attributes
    ----------
    trace
        The value of the last `$/setTrace`.
    tokens
        The progress tokens that the editor created, or sent with a request.
    watches
        Whether the editor opened an `events.watch`.
    """

    def __init__(self, capabilities: Json) -> None:
        self._capabilities = capabilities
        self.trace = "off"
        self.tokens: set[int | str] = set()
        self.watches = False

    def has(self, path: str) -> bool:
        """Return whether a capability such as `window.showDocument.support` was declared."""
        return self.value(path) not in (None, False)

    def value(self, path: str) -> Json:
        """Return the value of a capability; None if it was not declared."""
        value = self._capabilities
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def check(self, message: Json) -> None:
        """Raise `InvalidMessage` if the editor did not ask for a message of the server."""
        method, params = message["method"], message.get("params")
        match method:
            case "$/progress":
                permitted = params["token"] in self.tokens
            case "$/logTrace":
                permitted = self.trace != "off" and (
                    self.trace == "verbose" or "verbose" not in params
                )
            case "client/registerCapability":
                permitted = all(map(self._is_dynamic, params["registrations"]))
            case _ if method.startswith("events."):
                permitted = self.watches
            case _:
                required = REQUIRED_CAPABILITIES.get(method)
                permitted = method in BASE_MESSAGES or (required is not None and self.has(required))
        if not permitted:
            raise InvalidMessage(f"the editor did not ask for {method}")

    def check_result(self, method: str, result: Json) -> None:
        """Raise `InvalidMessage` if a result uses a form that the editor does not support."""
        match method:
            case "textDocument/hover" if result:
                formats = self.value("textDocument.hover.contentFormat") or ["plaintext"]
                permitted = result["contents"]["kind"] in formats
            case "textDocument/documentSymbol" if result and "selectionRange" in result[0]:
                permitted = self.has(
                    "textDocument.documentSymbol.hierarchicalDocumentSymbolSupport"
                )
            case "textDocument/codeAction" if result:
                literals = self.has("textDocument.codeAction.codeActionLiteralSupport")
                permitted = literals or all(isinstance(each["command"], str) for each in result)
            case "textDocument/completion" if result:
                items = result["items"] if isinstance(result, dict) else result
                snippets = self.has("textDocument.completion.completionItem.snippetSupport")
                permitted = snippets or all(item.get("insertTextFormat") != 2 for item in items)
            case "textDocument/definition" if result and "targetUri" in str(result):
                permitted = self.has("textDocument.definition.linkSupport")
            case "initialize":
                chosen = result["capabilities"].get("positionEncoding", "utf-16")
                permitted = chosen in (self.value("general.positionEncodings") or ["utf-16"])
            case _:
                return
        if not permitted:
            raise InvalidMessage(f"the editor does not support this result of {method}: {result}")

    def _is_dynamic(self, registration: Json) -> bool:
        section = registration["method"].replace("/", ".")
        return self.has(f"{section}.dynamicRegistration")
