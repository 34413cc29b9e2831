"""The editor's window, through pygls."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar
from uuid import uuid4

from lsprotocol import types
from msgspec import Raw
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from flyte_sidecar.events.model import Event
from flyte_sidecar.lsp import command_texts as texts
from flyte_sidecar.lsp.capabilities import ClientFeatures
from flyte_sidecar.lsp.client import MessageKind, ProgressToken
from flyte_sidecar.lsp.plugin_messages import ASK, AskParams, event_json, params_json

R = TypeVar("R")

_MESSAGE_TYPES = {
    "info": types.MessageType.Info,
    "warning": types.MessageType.Warning,
    "error": types.MessageType.Error,
}


class Window:
    """What the language server asks of the editor: a `Client`.

    Parameters
    ----------
    client
        What the editor supports. Nothing that it does not support is sent.
    """

    def __init__(self, server: LanguageServer, client: ClientFeatures) -> None:
        self._server = server
        self._client = client

    async def ask(self, message: str, options: Sequence[str]) -> str | None:
        params = types.ShowMessageRequestParams(
            type=types.MessageType.Info,
            message=message,
            actions=[types.MessageActionItem(title=option) for option in options],
        )
        chosen = await _response(self._server.window_show_message_request_async(params))
        return chosen.title if chosen is not None and chosen.title in options else None

    def ask_about(self, event: Event, backend: str) -> Awaitable[None]:
        """Let the editor's plugin ask about an event of a backend."""
        params = AskParams(event=event_json(event), backend=backend, message=texts.question(event))
        return self._request(ASK, params_json(params))

    def show(self, message: str, kind: MessageKind = "info") -> None:
        params = types.ShowMessageParams(type=_MESSAGE_TYPES[kind], message=message)
        self._server.window_show_message(params)

    async def show_document(self, uri: str) -> bool:
        is_web_page = uri.startswith(("http:", "https:"))
        if not self._client.shows_documents or not (is_web_page or self._client.reads_content):
            return False
        params = types.ShowDocumentParams(uri=uri, external=is_web_page, take_focus=True)
        shown = await _response(self._server.window_show_document_async(params))
        return shown is not None and shown.success

    async def begin_progress(self, title: str) -> ProgressToken | None:
        if not self._client.shows_progress:
            return None
        token = str(uuid4())
        if not await _succeeds(
            self._server.window_work_done_progress_create_async(
                types.WorkDoneProgressCreateParams(token=token)
            )
        ):
            return None
        self._server.progress(
            types.ProgressParams(token=token, value=types.WorkDoneProgressBegin(title=title))
        )
        return token

    def report_progress(self, token: ProgressToken, message: str) -> None:
        value = types.WorkDoneProgressReport(message=message)
        self._server.progress(types.ProgressParams(token=token, value=value))

    def end_progress(self, token: ProgressToken) -> None:
        value = types.WorkDoneProgressEnd()
        self._server.progress(types.ProgressParams(token=token, value=value))

    async def refresh_lenses(self) -> None:
        """Ask the editor to request the code lenses again."""
        await _succeeds(self._server.workspace_code_lens_refresh_async(None))

    async def refresh_content(self, uri: str) -> None:
        """Ask the editor to read the document of a prompt again."""
        params = types.TextDocumentContentRefreshParams(uri=uri)
        await _succeeds(self._server.workspace_text_document_content_refresh_async(params))

    async def configuration(self, section: str) -> object:
        """Return a section of the editor's settings, None if it has none."""
        params = types.ConfigurationParams(items=[types.ConfigurationItem(section=section)])
        values = await _response(self._server.workspace_configuration_async(params))
        return values[0] if values else None

    async def register_configuration(self, section: str) -> None:
        """Ask the editor to notify the server when the section of its settings changes."""
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        registration = types.Registration(
            id=method, method=method, register_options={"section": section}
        )
        params = types.RegistrationParams(registrations=[registration])
        await _succeeds(self._server.client_register_capability_async(params))

    def publish_diagnostics(
        self, uri: str, version: int | None, diagnostics: list[types.Diagnostic]
    ) -> None:
        """Send the diagnostics of a document, of a version if it is open."""
        params = types.PublishDiagnosticsParams(uri, diagnostics, version)
        self._server.text_document_publish_diagnostics(params)

    async def _request(self, method: str, params: Raw) -> None:
        await _succeeds(self._server.protocol.send_request_async(method, params))

    def trace(self, message: str, verbose: str | None = None) -> None:
        """Send a line of the trace, if the editor wants one."""
        trace = self._server.protocol.trace
        if trace != types.TraceValue.Off:
            more = verbose if trace == types.TraceValue.Verbose else None
            self._server.log_trace(types.LogTraceParams(message=message, verbose=more))


async def _response(request: Awaitable[R]) -> R | None:
    """Return the result of a request, None if the editor returns an error."""
    try:
        return await request
    except JsonRpcException:
        return None


async def _succeeds(request: Awaitable[object]) -> bool:
    try:
        await request
    except JsonRpcException:
        return False
    return True
