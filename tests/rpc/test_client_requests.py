"""Requests of the sidecar to its client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.messages import Envelope
from flyte_sidecar.rpc.requests import Context, Handler
from tests.rpc.fake_server import FakeServer, ids_and_kinds, run_pending


class AskingServer(FakeServer):
    """A server whose method `ask` sends a request to the client and returns at once."""

    def __init__(self) -> None:
        self.responses: list[asyncio.Future[Envelope]] = []
        super().__init__()

    def handlers(self) -> dict[str, Handler]:
        decode = params_decoder(dict[str, Any])
        return {
            **super().handlers(),
            "ask": Handler(decode, self._ask),
            "learn": Handler(decode, self._learn),
        }

    def _ask(self, params: dict[str, Any], context: Context) -> str:
        self.responses.append(context.request_client("client/ask", params.get("params")))
        return "asked"

    def _learn(self, _: Any, context: Context) -> str:
        context.add_handlers({"new": Handler(params_decoder(dict[str, Any]), lambda *_: "new")})
        return "learnt"


@pytest.fixture
def server_type() -> type[FakeServer]:
    return AskingServer


def ask(server: FakeServer, params: Any = None) -> Any:
    """Make the server send a request, and return the request."""
    server.request(1, "ask", params=params)
    (sent,) = (message for message in server.answers() if "method" in message)
    return sent


async def test_a_request_has_its_own_id_and_its_params(server: AskingServer) -> None:
    first, second = ask(server, {"x": "é\u2028"}), ask(server, {"x": 1})
    assert (first["method"], first["params"]) == ("client/ask", {"x": "é\u2028"})
    assert first["id"] != second["id"]


async def test_a_request_without_params_has_no_such_member(server: AskingServer) -> None:
    assert set(ask(server)) == {"jsonrpc", "id", "method"}


@pytest.mark.parametrize(
    ("member", "value"), [("result", {"ok": True}), ("result", None), ("error", {"code": 1})]
)
async def test_the_response_reaches_the_request_of_its_id(
    server: AskingServer, member: str, value: Any
) -> None:
    other, sent = ask(server), ask(server)
    server.send({"jsonrpc": "2.0", "id": sent["id"], member: value})
    response = await server.responses[1]
    assert bool(response.error) == (member == "error")
    assert not server.responses[0].done()
    server.send({"jsonrpc": "2.0", "id": other["id"], "result": 1})
    await server.responses[0]
    assert server.answers() == []


@pytest.mark.parametrize("unknown", [99, "1", None, 1.5, {}])
async def test_other_responses_are_dropped(server: AskingServer, unknown: Any) -> None:
    ask(server)
    server.send({"jsonrpc": "2.0", "id": unknown, "result": 1})
    await run_pending()
    assert not server.responses[0].done()
    assert server.answers() == []


async def test_a_second_response_is_dropped(server: AskingServer) -> None:
    sent = ask(server)
    server.send(*({"jsonrpc": "2.0", "id": sent["id"], "result": n} for n in (1, 2)))
    assert bytes((await server.responses[0]).result) == b"1"


async def test_a_response_with_an_unpaired_surrogate_is_received(server: AskingServer) -> None:
    sent = ask(server)
    message = b'{"jsonrpc":"2.0","id":%d,"result":"\\ud800"}\n' % sent["id"]
    server.connection.data_received(message)
    assert bytes((await server.responses[0]).result) == b'"\\ud800"'


async def test_a_cancelled_request_is_cancelled_at_the_client(server: AskingServer) -> None:
    sent = ask(server)
    server.responses[0].cancel()
    await run_pending()
    (cancel,) = server.answers()
    assert (cancel["method"], cancel["params"]) == ("$/cancelRequest", {"id": sent["id"]})
    server.send({"jsonrpc": "2.0", "id": sent["id"], "result": 1})
    assert server.answers() == []


async def test_the_end_of_the_connection_cancels_requests(server: AskingServer) -> None:
    ask(server)
    server.connection.connection_lost(None)
    await asyncio.wait(server.responses)
    assert server.responses[0].cancelled()
    await run_pending()
    assert server.answers() == []


async def test_an_added_method_is_available_from_the_next_message_on(server: AskingServer) -> None:
    server.request(1, "new")
    server.request(2, "learn")
    server.request(3, "new")
    answers = ids_and_kinds(server.answers())
    assert answers == [(1, "method_not_found"), (2, "result"), (3, "result")]
