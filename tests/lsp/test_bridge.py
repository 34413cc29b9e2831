"""Messages between the connection and pygls, without a process."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import Any

import pytest
from lsprotocol import types
from msgspec import Raw
from pygls.exceptions import JsonRpcException

from flyte_sidecar.errors import InternalError
from flyte_sidecar.lsp.bridge import Bridge
from flyte_sidecar.lsp.capabilities import client_features
from flyte_sidecar.lsp.messages import Message
from flyte_sidecar.rpc.messages import Envelope
from flyte_sidecar.rpc.requests import ConnectionCounters, Context

DOCUMENT = {"uri": "file:///a.py"}


class FakeConnection:
    """What a bridge sends, and the futures of the responses to its requests."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.responses: list[asyncio.Future[Envelope]] = []

    def context(self) -> Context:
        return Context(
            page_bytes=0,
            notify=self._send,
            request_client=self._request,
            wait_for_room=lambda: asyncio.sleep(0),
            counters=lambda: ConnectionCounters(0, 0, 0, 0),
            end_with_process=lambda pid: None,
            add_handlers=lambda handlers: None,
        )

    def _send(self, method: str, params: object) -> None:
        assert isinstance(params, Raw)
        self.sent.append((method, json.loads(bytes(params))))

    def _request(self, method: str, params: object) -> asyncio.Future[Envelope]:
        self._send(method, params)
        self.responses.append(asyncio.get_running_loop().create_future())
        return self.responses[-1]


@pytest.fixture
async def connection() -> FakeConnection:
    return FakeConnection()


@pytest.fixture
async def bridge(connection: FakeConnection) -> Bridge:
    bridge = Bridge(client_features({}))
    bridge.connect(connection.context())
    return bridge


def send(bridge: Bridge, method: str, **params: Any) -> asyncio.Future[Any]:
    """Pass a message to the bridge, and return the future of its response."""
    response = asyncio.get_running_loop().create_future()
    bridge.receive(Message(method, Raw(json.dumps(params).encode()), response))
    return response


async def test_nothing_is_kept_of_a_message_after_its_handler_has_ended(bridge: Bridge) -> None:
    tasks: list[weakref.ref[Any]] = []

    async def handle(*_: Any) -> None:
        tasks.append(weakref.ref(asyncio.current_task()))

    bridge.add_feature(types.TEXT_DOCUMENT_DID_CLOSE, handle)
    bridge.add_feature(types.TEXT_DOCUMENT_HOVER, handle)
    bridge.add_command("flyteSidecar.refresh", handle)
    await send(bridge, "textDocument/didClose", textDocument=DOCUMENT)
    position = {"line": 0, "character": 0}
    await send(bridge, "textDocument/hover", textDocument=DOCUMENT, position=position)
    await send(bridge, "workspace/executeCommand", command="flyteSidecar.refresh")
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    assert [task() for task in tasks] == [None] * 3


async def test_a_result_that_is_not_json_fails_its_request(bridge: Bridge) -> None:
    async def handle(_: Any) -> Any:
        return {"value": object()}

    bridge.add_feature(types.TEXT_DOCUMENT_HOVER, handle)
    position = {"line": 0, "character": 0}
    with pytest.raises(InternalError):
        await send(bridge, "textDocument/hover", textDocument=DOCUMENT, position=position)


@pytest.mark.parametrize(
    "response",
    [
        Envelope(error=Raw(b'{"code":1,"message":""}')),
        Envelope(error=Raw(b'{"code":1,"message":""}'), result=Raw(b"null")),
        Envelope(error=Raw(b"5")),
        Envelope(error=Raw(b"null")),
        Envelope(result=Raw(b"5")),
        Envelope(result=Raw(b"{}")),
        Envelope(result=Raw(b"[" * 10_000 + b"]" * 10_000)),
        None,
    ],
)
async def test_what_an_editor_may_answer_instead_of_a_result_is_an_error(
    bridge: Bridge, connection: FakeConnection, response: Envelope | None
) -> None:
    params = types.ShowMessageRequestParams(types.MessageType.Info, "?")
    asking = asyncio.ensure_future(bridge.server.window_show_message_request_async(params))
    await asyncio.sleep(0)
    assert connection.sent == [("window/showMessageRequest", {"type": 3, "message": "?"})]
    if response is None:
        connection.responses[0].cancel()  # the connection has ended
    else:
        connection.responses[0].set_result(response)
    with pytest.raises(JsonRpcException):
        await asking


@pytest.mark.parametrize("error", [b"", b"null"])
async def test_a_result_may_be_accompanied_by_no_error(
    bridge: Bridge, connection: FakeConnection, error: bytes
) -> None:
    params = types.ShowMessageRequestParams(types.MessageType.Info, "?")
    asking = asyncio.ensure_future(bridge.server.window_show_message_request_async(params))
    await asyncio.sleep(0)
    connection.responses[0].set_result(Envelope(result=Raw(b'{"title":"Yes"}'), error=Raw(error)))
    chosen = await asking
    assert chosen is not None
    assert chosen.title == "Yes"


async def test_the_response_to_a_request_that_lsp_does_not_define_is_not_read(
    bridge: Bridge, connection: FakeConnection
) -> None:
    asking = asyncio.ensure_future(bridge.request("flyteSidecar/ask", Raw(b"{}")))
    await asyncio.sleep(0)
    connection.responses[0].set_result(Envelope(result=Raw(b'{"any": 1}')))
    assert await asking is None


async def test_a_question_that_is_cancelled_cancels_its_request(
    bridge: Bridge, connection: FakeConnection
) -> None:
    params = types.ShowMessageRequestParams(types.MessageType.Info, "?")
    asking = asyncio.ensure_future(bridge.server.window_show_message_request_async(params))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert connection.responses[0].cancelled()


async def test_unpaired_surrogates_are_replaced_in_what_is_sent(
    bridge: Bridge, connection: FakeConnection
) -> None:
    bridge.server.window_show_message(types.ShowMessageParams(types.MessageType.Info, "a\ud800b"))
    assert connection.sent[0][1]["message"] == "a\ufffdb"
