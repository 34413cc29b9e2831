"""Passes messages between the connection and pygls.

The connection keeps the ids of requests, cancels them and sends the responses. pygls sees requests
with ids of this module, decodes their params and calls the handlers, which are wrapped so that
their results and errors do not pass through pygls.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any

import msgspec
from lsprotocol import types
from msgspec import Raw, Struct
from pygls.exceptions import FeatureRequestError, JsonRpcException, JsonRpcInternalError
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter

from flyte_sidecar._futures import try_set_exception, try_set_result, wait_all
from flyte_sidecar._internal_error import internal_error
from flyte_sidecar._version import VERSION
from flyte_sidecar.errors import InternalError, InvalidParams, SidecarError
from flyte_sidecar.lsp.capabilities import NOTIFICATIONS, ClientFeatures
from flyte_sidecar.lsp.documents import Documents
from flyte_sidecar.lsp.messages import Message, decode_params
from flyte_sidecar.rpc.requests import Context
from flyte_sidecar.rpc.unpaired_surrogates import replace_surrogates

ABSENT_PARAMS = (b"", b"null", b"[]", b"[null]")
"""Some clients send these instead of omitting the params."""

INVALID_PARAMS = -32602

# pygls logs the bodies of messages, which contain source code and prompts.
logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)


class _Error(Struct, frozen=True):
    code: int


class _Response(Struct, frozen=True):
    """A response that pygls writes."""

    id: int | str | None = None
    error: _Error | None = None


class _Protocol(LanguageServerProtocol):
    """pygls's protocol on our documents and our connection."""

    bridge: Bridge

    @property
    def workspace(self) -> Documents:
        return self.bridge.documents

    def notify(self, method: str, params: object = None) -> None:
        self.bridge.notify(method, params)

    async def send_request_async(
        self, method: str, params: object = None, msg_id: object = None
    ) -> Any:
        return await self.bridge.request(method, params)

    def _execute_handler(
        self,
        msg_id: Any,
        handler: Callable[..., Any],
        callback: Callable[[Any], None],
        *arguments: Any,
        **keywords: Any,
    ) -> None:
        """Call a handler. pygls would keep its future after the end, except for a request's."""

        def ended(future: Any) -> None:
            self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, ended, *arguments, **keywords)


class _Server(LanguageServer):
    """pygls's server, without its own reports of errors to the user."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log an error that no response reports."""
        if source is not FeatureRequestError:
            internal_error(error)


class Bridge:
    """The pygls server of one editor.

    It may be created in a thread. `connect` starts the exchange of messages. pygls does not get
    the params of `initialize`, which it takes 20 ms to structure.

    Parameters
    ----------
    features
        What the editor supports.

    Attributes
    ----------
    server
        pygls's server, for notifications and requests to the editor.
    documents
        The open documents.
    """

    def __init__(self, features: ClientFeatures) -> None:
        self._converter = default_converter()  # type: ignore[no-untyped-call]  # of pygls
        self.server = _Server(
            "flyte-sidecar",
            VERSION,
            protocol_cls=_Protocol,
            converter_factory=lambda: self._converter,
        )
        self.documents = Documents(features.encoding, features.folders)
        protocol = self.server.protocol
        assert isinstance(protocol, _Protocol)
        protocol.bridge = self
        protocol.set_writer(self, include_headers=False)
        protocol.trace = types.TraceValue(features.trace)
        self._protocol = protocol
        self._ids = count(1)
        self._responses: dict[int | str | None, asyncio.Future[Any]] = {}
        self._context: Context | None = None

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
            absent = bytes(message.params) in ABSENT_PARAMS
            data["params"] = {} if absent else decode_params(message.params)
            self._handle(data)
        except InvalidParams as error:
            try_set_exception(message.response, error)
        except (JsonRpcException, RecursionError):
            reason = f"the params are not those of {message.method}"
            try_set_exception(message.response, InvalidParams(reason, path=""))
        except Exception as error:
            try_set_exception(message.response, internal_error(error))
        if not is_request:
            try_set_result(message.response, None)

    async def wait_for_room(self) -> None:
        """Wait while the editor does not read what was sent."""
        assert self._context is not None
        await self._context.wait_for_room()

    def notify(self, method: str, params: object) -> None:
        """Send a notification, with params of lsprotocol or JSON, once the bridge is connected."""
        if self._context is not None:
            self._context.notify(method, self._encode(params))

    async def request(self, method: str, params: object) -> Any:
        """Send a request, with params of lsprotocol or JSON, and return its result.

        Returns None for a request that LSP does not define.

        Raises
        ------
        JsonRpcException
            If the editor returns an error or an invalid result, or has ended.
        """
        assert self._context is not None
        sent = None if params is None else self._encode(params)
        response = self._context.request_client(method, sent)
        try:
            await wait_all([response])
        finally:
            response.cancel()  # if the caller is cancelled
        received = None if response.cancelled() else response.result()
        if received is None or bytes(received.error) not in (b"", b"null"):
            raise JsonRpcInternalError("the editor returned an error")
        shape = self._protocol.get_result_type(method)
        if shape is None:
            return None
        try:
            message = {"jsonrpc": "2.0", "id": 0, "result": json.loads(bytes(received.result))}
            return self._converter.structure(message, shape).result
        except Exception:
            raise JsonRpcInternalError("the result is invalid") from None

    # Called by pygls:

    def write(self, data: bytes) -> None:
        """Respond to a request that no handler has responded to."""
        written = msgspec.json.decode(replace_surrogates(data), type=_Response)
        response = self._responses.get(written.id)
        if response is None:
            return
        if written.error is not None and written.error.code == INVALID_PARAMS:
            try_set_exception(response, InvalidParams("the params are invalid", path=""))
        else:
            try_set_exception(response, InternalError("the language server failed"))

    def close(self) -> None:
        """Do nothing: the connection closes the output."""

    def _guarded(self, handle: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[None]]:
        """Return a handler that responds itself: pygls would send the texts of exceptions."""

        async def guarded(*arguments: Any) -> None:
            response = self._responses.get(self._protocol.msg_id)
            try:
                result = await handle(*arguments)
                if response is not None:
                    try_set_result(response, self._encode(result))
            except asyncio.CancelledError:
                pass  # pygls does not expect it, and nobody waits for the result
            except Exception as error:
                failure = error if isinstance(error, SidecarError) else internal_error(error)
                if response is not None:
                    try_set_exception(response, failure)

        return guarded

    def _encode(self, value: object) -> Raw:
        """Return a value of lsprotocol as JSON, without unpaired surrogates of a document."""
        if isinstance(value, Raw):
            return value
        text = json.dumps(self._converter.unstructure(value))
        return Raw(replace_surrogates(text.encode()))

    def _handle(self, message: dict[str, Any]) -> None:
        structured = self._protocol.structure_message({"jsonrpc": "2.0", **message})
        self._protocol.handle_message(structured)

    def _completed(self, request_id: int, response: asyncio.Future[Any]) -> None:
        del self._responses[request_id]
        if response.cancelled():
            self._handle({"method": types.CANCEL_REQUEST, "params": {"id": request_id}})
