"""Passes messages between the connection and pygls.

The connection keeps the ids of requests, cancels them and sends the responses. pygls sees requests
with ids of this module, and writes its responses, requests and notifications to `Bridge.write`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import InvalidStateError
from functools import partial
from itertools import count
from typing import Any

import msgspec
from lsprotocol import types
from msgspec import Raw, Struct
from pygls.exceptions import FeatureRequestError, JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

from flyte_sidecar._futures import try_set_exception, try_set_result
from flyte_sidecar._version import VERSION
from flyte_sidecar.errors import InternalError, InvalidParams, SidecarError
from flyte_sidecar.lsp.capabilities import NOTIFICATIONS, Encoding
from flyte_sidecar.lsp.documents import Documents
from flyte_sidecar.lsp.messages import Message
from flyte_sidecar.rpc.decode_params import ABSENT
from flyte_sidecar.rpc.internal_error import internal_error
from flyte_sidecar.rpc.messages import Envelope
from flyte_sidecar.rpc.requests import Context

ABSENT_PARAMS = (b"", b"null", b"[]", b"[null]")
"""Some clients send these instead of omitting the params."""

INVALID_PARAMS = -32602

USED_BY_PYGLS = ("rootPath", "rootUri", "trace", "workspaceFolders")
"""Members of the params of `initialize`."""

# pygls logs the bodies of messages, which contain source code and prompts.
logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)


class _Error(Struct, frozen=True):
    code: int


class _Written(Struct, frozen=True):
    """A message that pygls writes."""

    id: int | str | None = None
    method: str | None = None
    params: Raw = ABSENT
    result: Raw = Raw(b"null")
    error: _Error | None = None


class _Protocol(LanguageServerProtocol):
    """pygls's protocol on our documents."""

    documents: Documents

    @property
    def workspace(self) -> Documents:
        return self.documents


class _Server(LanguageServer):
    """pygls's server, without its own reports of errors to the user."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log an error that no response reports."""
        if source is not FeatureRequestError:
            internal_error(error)


class Bridge:
    """The pygls server of one editor.

    It may be created in a thread. `connect` starts the exchange of messages.

    Parameters
    ----------
    initialize
        The params of `initialize`, which the connection responds to.
    encoding
        How positions are counted.

    Attributes
    ----------
    server
        pygls's server, for notifications and requests to the editor.
    documents
        The open documents.
    """

    def __init__(self, initialize: dict[str, Any], encoding: Encoding) -> None:
        self.server = _Server("flyte-sidecar", VERSION, protocol_cls=_Protocol)
        self.documents = Documents(encoding)
        protocol = self.server.protocol
        assert isinstance(protocol, _Protocol)
        protocol.documents = self.documents
        self._protocol = protocol
        self._protocol.set_writer(self, include_headers=False)
        self._ids = count(1)
        self._responses: dict[int | str | None, asyncio.Future[Any]] = {}
        self._context: Context | None = None
        self.server.feature(types.INITIALIZE)(partial(self.documents.add_folders))
        # `ClientFeatures` replaces the capabilities, which take pygls 20 ms to structure.
        params: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
        used = {name: initialize[name] for name in USED_BY_PYGLS if name in initialize}
        try:
            self._handle({"id": 0, "method": types.INITIALIZE, "params": params | used})
        except JsonRpcException:  # a member has an unexpected type
            self._handle({"id": 0, "method": types.INITIALIZE, "params": params})

    def add_feature(self, method: str, handle: Callable[[Any], Awaitable[Any]]) -> None:
        """Handle a request or notification with the params and results of lsprotocol."""
        self.server.feature(method)(self._guarded(handle))

    def add_command(self, name: str, handle: Callable[..., Awaitable[Any]]) -> None:
        """Handle a command; `handle` gets its arguments, and returns a JSON value."""
        self.server.command(name)(self._guarded(handle))

    def connect(self, context: Context) -> None:
        """Send what pygls writes from now on to the editor."""
        self._context = context

    def receive(self, message: Message) -> None:
        """Pass a message of the editor to pygls, which completes its response."""
        is_request = message.method not in NOTIFICATIONS
        data: dict[str, Any] = {"method": message.method}
        if is_request:
            request_id = data["id"] = next(self._ids)
            self._responses[request_id] = message.response
            message.response.add_done_callback(partial(self._completed, request_id))
        try:
            text = bytes(message.params)
            # msgspec would reject the unpaired surrogates that editors send while a user types.
            data["params"] = {} if text in ABSENT_PARAMS else json.loads(text)
            self._handle(data)
        except (JsonRpcException, RecursionError):
            reason = f"the params are not those of {message.method}"
            try_set_exception(message.response, InvalidParams(reason, path=""))
        except Exception as error:
            try_set_exception(message.response, internal_error(error))
        if not is_request:
            try_set_result(message.response, None)

    # Called by pygls:

    def write(self, data: bytes) -> None:
        written = msgspec.json.decode(data, type=_Written)
        if written.method is None:
            self._respond(written)
        elif self._context is None:
            pass  # it is not connected yet
        elif written.id is None:
            self._context.notify(written.method, written.params)
        else:
            params = None if written.params is ABSENT else written.params
            response = self._context.request_client(written.method, params)
            response.add_done_callback(partial(self._client_responded, written.id))

    def close(self) -> None:
        """Do nothing: the connection closes the output."""

    def _guarded(self, handle: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return a handler whose exceptions do not reach pygls, which would send their texts."""

        async def guarded(*arguments: Any) -> Any:
            request_id = self._protocol.msg_id
            try:
                return await handle(*arguments)
            except asyncio.CancelledError:
                return None  # pygls does not expect it, and nobody waits for the result
            except Exception as error:
                failure = error if isinstance(error, SidecarError) else internal_error(error)
                response = self._responses.get(request_id)
                if response is not None:
                    try_set_exception(response, failure)

        return guarded

    def _handle(self, message: dict[str, Any]) -> None:
        structured = self._protocol.structure_message({"jsonrpc": "2.0", **message})
        self._protocol.handle_message(structured)

    def _respond(self, written: _Written) -> None:
        response = self._responses.get(written.id)
        if response is None:
            return
        if written.error is None:
            try_set_result(response, written.result)
        elif written.error.code == INVALID_PARAMS:
            try_set_exception(response, InvalidParams("the params are invalid", path=""))
        else:
            try_set_exception(response, InternalError("the language server failed"))

    def _completed(self, request_id: int, response: asyncio.Future[Any]) -> None:
        del self._responses[request_id]
        if response.cancelled():
            self._handle({"method": types.CANCEL_REQUEST, "params": {"id": request_id}})

    def _client_responded(self, request_id: int | str, future: asyncio.Future[Envelope]) -> None:
        failed = {"id": request_id, "error": {"code": -32603, "message": "no result"}}
        try:
            response = None if future.cancelled() else future.result()
            if response is None or response.error:
                self._handle(failed)
            else:
                self._handle({"id": request_id, "result": json.loads(bytes(response.result))})
        except (JsonRpcException, RecursionError):  # the editor's result has another shape
            self._handle(failed)
        except InvalidStateError:
            pass  # nobody waits for the response any more
