"""What an editor supports, and what the language server offers to it.

The response to `initialize` is made here, without pygls, so that it does not wait until pygls is
loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

Encoding = Literal["utf-8", "utf-16", "utf-32"]
"""How an editor counts the characters of a line."""

DEFAULT_ENCODING: Encoding = "utf-16"
"""LSP's default."""

CONTENT_SCHEME = "flyte-event"
"""URI scheme of the documents that show the prompt of an event."""

COMMANDS = tuple(
    f"flyteSidecar.{name}"
    for name in (
        *("approve", "reject", "signal", "answer", "checkAnswer", "abort"),
        *("refresh", "showPending", "showEvent"),
    )
)
"""Those of `commands`, which imports too much for the response to `initialize`."""

REQUESTS = (
    "textDocument/codeAction",
    "textDocument/codeLens",
    "textDocument/completion",
    "textDocument/declaration",
    "textDocument/definition",
    "textDocument/diagnostic",
    "textDocument/documentSymbol",
    "textDocument/hover",
    "workspace/executeCommand",
    "workspace/symbol",
    "workspace/textDocumentContent",
)
"""The requests that an editor may send, besides those of any client."""

NOTIFICATIONS = (
    "$/setTrace",
    "initialized",
    "textDocument/didChange",
    "textDocument/didClose",
    "textDocument/didOpen",
    "workspace/didChangeConfiguration",
    "workspace/didChangeWorkspaceFolders",
)


class ClientFeatures(Struct, frozen=True, kw_only=True):
    """What an editor supports of LSP's optional features, and what it starts with.

    Attributes
    ----------
    encoding
        How positions are counted, in both directions.
    folders
        The URIs of the workspace folders.
    trace
        How much of a trace the editor wants at first.
    pulls_diagnostics, receives_diagnostics
        Whether the editor requests diagnostics, and whether it accepts them unasked.
    shows_events, asks_itself, shows_logins, runs_locally
        What a plugin declares in `experimental.flyteSidecar`: that it lists the waiting events,
        asks the person about them, shows logins, and runs tasks in a terminal.
    """

    encoding: Encoding
    folders: Sequence[str]
    trace: Literal["off", "messages", "verbose"]
    refreshes_lenses: bool
    pulls_diagnostics: bool
    receives_diagnostics: bool
    renders_markdown: bool
    nests_symbols: bool
    runs_code_actions: bool
    shows_documents: bool
    reads_content: bool
    shows_progress: bool
    sends_configuration: bool
    registers_configuration: bool
    shows_events: bool
    asks_itself: bool
    shows_logins: bool
    runs_locally: bool


def edits_text(initialize: Mapping[str, Any]) -> bool:
    """Return whether the params of `initialize` are those of an editor."""
    text_document = _member(initialize, "capabilities.textDocument")
    return isinstance(text_document, dict) and bool(text_document)


def client_features(initialize: Mapping[str, Any]) -> ClientFeatures:
    """Return what an editor supports. A member of an unexpected type counts as absent."""
    capabilities = _member(initialize, "capabilities")

    def has(path: str) -> bool:
        return _member(capabilities, path) is True

    def supports(path: str) -> bool:
        return isinstance(_member(capabilities, path), dict)

    return ClientFeatures(
        folders=_folders(initialize),
        trace=_trace(initialize),
        encoding=_encoding(_member(capabilities, "general.positionEncodings")),
        refreshes_lenses=has("workspace.codeLens.refreshSupport"),
        pulls_diagnostics=supports("textDocument.diagnostic"),
        receives_diagnostics=supports("textDocument.publishDiagnostics"),
        renders_markdown="markdown" in _list(capabilities, "textDocument.hover.contentFormat"),
        nests_symbols=has("textDocument.documentSymbol.hierarchicalDocumentSymbolSupport"),
        runs_code_actions=supports("textDocument.codeAction.codeActionLiteralSupport"),
        shows_documents=has("window.showDocument.support"),
        reads_content=supports("workspace.textDocumentContent"),
        shows_progress=has("window.workDoneProgress"),
        sends_configuration=has("workspace.configuration"),
        registers_configuration=has("workspace.didChangeConfiguration.dynamicRegistration"),
        shows_events=has("experimental.flyteSidecar.events"),
        asks_itself=has("experimental.flyteSidecar.asking"),
        shows_logins=has("experimental.flyteSidecar.logins"),
        runs_locally=has("experimental.flyteSidecar.runLocally"),
    )


def server_capabilities(client: ClientFeatures) -> dict[str, Any]:
    """Return the capabilities of the server as LSP's ServerCapabilities."""
    capabilities: dict[str, Any] = {
        "textDocumentSync": {"openClose": True, "change": 2},
        "codeActionProvider": True,
        "codeLensProvider": {},
        "completionProvider": {"triggerCharacters": ['"', "'"]},
        "declarationProvider": True,
        "definitionProvider": True,
        "documentSymbolProvider": True,
        "executeCommandProvider": {"commands": list(COMMANDS)},
        "hoverProvider": True,
        "workspaceSymbolProvider": True,
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    if client.encoding != DEFAULT_ENCODING:
        capabilities["positionEncoding"] = client.encoding
    if client.pulls_diagnostics:
        capabilities["diagnosticProvider"] = {
            "identifier": "flyte-sidecar",
            "interFileDependencies": False,
            "workspaceDiagnostics": False,
        }
    if client.reads_content:
        capabilities["workspace"]["textDocumentContent"] = {"schemes": [CONTENT_SCHEME]}
    return capabilities


def _folders(initialize: Mapping[str, Any]) -> Sequence[str]:
    """Return the workspace folders; older editors have one root."""
    folders = [_member(folder, "uri") for folder in _list(initialize, "workspaceFolders")]
    uris = [uri for uri in folders if isinstance(uri, str)]
    root = initialize.get("rootUri")
    return uris or ([root] if isinstance(root, str) else [])


def _trace(initialize: Mapping[str, Any]) -> Literal["off", "messages", "verbose"]:
    trace = initialize.get("trace")
    return trace if trace in ("messages", "verbose") else "off"


def _encoding(offered: object) -> Encoding:
    """Return the first encoding that both sides support."""
    if isinstance(offered, list):
        for encoding in offered:
            if encoding in ("utf-8", "utf-16", "utf-32"):
                return encoding  # type: ignore[no-any-return]  # narrowed by the comparison
    return DEFAULT_ENCODING


def _list(members: object, path: str) -> list[Any]:
    value = _member(members, path)
    return value if isinstance(value, list) else []


def _member(members: object, path: str) -> object:
    """Return the value at a dotted path, None if there is none."""
    for name in path.split("."):
        members = members.get(name) if isinstance(members, dict) else None
    return members
