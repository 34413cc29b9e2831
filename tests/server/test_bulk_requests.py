"""Requests for several events: a real sidecar in this process, whose writes a test can hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
from msgspec import json as fast

from flyte_sidecar.events import bulk
from flyte_sidecar.events.model import Event
from flyte_sidecar.rpc import shutdown
from flyte_sidecar.rpc.memory_transport import MemoryTransport
from flyte_sidecar.server.serve import Sidecar
from flyte_sidecar.server.settings import Options
from tests.backends.flyte.scenarios import until
from tests.conftest import TEST_TIMEOUT

Message = dict[str, Any]


class Client:
    """The client of a sidecar in this process.

    Attributes
    ----------
    begun
        The number of writes that the backend has begun.
    held_from
        The number of the first write whose result is held.
    go
        Releases the results.
    """

    def __init__(self, store: Path) -> None:
        self.sidecar = Sidecar(Options(store=str(store)))
        self.transport = MemoryTransport(self.sidecar.connection)
        self.begun = 0
        self.held_from = inf
        self.go = asyncio.Event()
        self._responses: dict[Any, Message] = {}
        backend: Any = self.sidecar._backends.service.backend
        signal = backend.signal

        async def hold(event: Event, payload: Any) -> Event:
            self.begun += 1
            held = self.begun >= self.held_from
            answered: Event = await signal(event, payload)
            if held:
                await self.go.wait()
            return answered

        backend.signal = hold

    def send(self, *messages: Message | list[Message]) -> None:
        self.sidecar.connection.data_received(
            b"".join(fast.encode(message) + b"\n" for message in messages)
        )

    def request(self, request_id: Any, method: str, **params: Any) -> None:
        self.send({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})

    async def response(self, request_id: Any) -> Message:
        while request_id not in self._responses:
            await asyncio.wait_for(self.transport.wait_readable(), TEST_TIMEOUT)
            for line in self.transport.read().splitlines():
                message = json.loads(line)
                assert message["id"] not in self._responses
                self._responses[message["id"]] = message
        return self._responses[request_id]

    async def result(self, method: str, **params: Any) -> Any:
        request_id = f"{len(self._responses)} {method}"
        self.request(request_id, method, **params)
        return (await self.response(request_id))["result"]

    async def create(self, name: str, **more: Any) -> Message:
        """Create an event, and return the reference to it."""
        event = await self.result("events.create", runName="r", name=name, **more)
        return {"runName": "r", "actionName": event["actionName"]}

    async def hold_second(self) -> list[Message]:
        """Answer three events one by one as request 1, and hold the second of them."""
        events = [await self.create(f"q{number}") for number in range(3)]
        self.held_from = 2
        self.request(1, "events.signalMany", events=events, payload=True)
        await until(lambda: self.begun == 2)
        return events

    async def close(self) -> None:
        self.go.set()
        self.sidecar.connection.connection_lost(None)
        await asyncio.wait_for(self.sidecar.ended(), TEST_TIMEOUT)


@pytest.fixture
async def client(store: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(bulk, "MAX_CONCURRENT_WRITES", {"local": 1})
    client = Client(store)
    yield client
    await client.close()


def summary(response: Message) -> list[Any]:
    """Return the phase of each event, or the kind of its error and the outcome of its write."""
    return [
        result["event"]["phase"]
        if result["error"] is None
        else (result["error"]["data"]["kind"], result["error"]["data"].get("outcome"))
        for result in response["result"]["results"]
    ]


async def test_the_results_have_the_form_of_the_wire(client: Client) -> None:
    large, number, boolean = (
        await client.create("large", expectedType="int"),
        await client.create("number", expectedType="float"),
        await client.create("boolean"),
    )
    events = [large, number, boolean, {"runName": "r", "actionName": "missing"}]
    client.request(1, "events.signalMany", events=events, payload=2**53)
    response = await client.response(1)
    assert summary(response) == [
        "SUCCEEDED",
        "SUCCEEDED",
        ("payload_type_mismatch", None),
        ("event_not_found", None),
    ]
    assert response["result"]["results"][0]["event"]["payload"] == str(2**53)
    again = await client.result("events.signalMany", events=[large], payload=1)
    [result] = again["results"]
    assert result["event"] is None
    assert result["error"]["data"]["event"]["payload"] == str(2**53)


async def test_a_cancelled_request_returns_what_happened_to_each_event(client: Client) -> None:
    await client.hold_second()
    client.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}})
    client.go.set()
    # The write in progress is awaited.
    assert summary(await client.response(1)) == [
        "SUCCEEDED",
        "SUCCEEDED",
        ("request_cancelled", "none"),
    ]


async def test_a_timeout_returns_what_happened_to_each_event(client: Client) -> None:
    events = [await client.create(f"q{number}") for number in range(2)]
    client.held_from = 1
    client.request(1, "events.signalMany", events=events, payload=True, timeoutSeconds=0.001)
    response = await client.response(1)
    assert [kind for kind, _ in summary(response)] == ["deadline_exceeded"] * 2
    assert summary(response)[1] == ("deadline_exceeded", "none")
    client.go.set()
    event = await client.result("events.get", **events[1])
    assert event["pending"]


async def test_the_end_returns_what_happened_to_each_event(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SHUTDOWN_TIMEOUT", "WRITE_DRAIN_TIMEOUT"):
        monkeypatch.setattr(shutdown, name, 0.01)
    await client.hold_second()
    client.request(2, "shutdown")
    await client.response(2)
    assert summary(await client.response(1)) == [
        "SUCCEEDED",
        ("shutting_down", "unknown"),
        ("shutting_down", "none"),
    ]


async def test_a_request_of_several_events_is_not_allowed_in_a_batch(client: Client) -> None:
    event = await client.create("q")
    params = {"events": [event], "payload": True}
    client.send([{"jsonrpc": "2.0", "id": 1, "method": "events.signalMany", "params": params}])
    await asyncio.wait_for(client.transport.wait_readable(), TEST_TIMEOUT)
    [response] = json.loads(client.transport.read())
    assert response["error"]["data"]["kind"] == "invalid_request"


async def test_a_notification_answers_the_events(client: Client) -> None:
    event = await client.create("q")
    params = {"events": [event], "payload": True}
    client.send({"jsonrpc": "2.0", "method": "events.signalMany", "params": params})
    assert (await client.result("events.get", **event))["payload"] is True


async def test_requests_of_many_events_count_as_several_in_back_pressure(client: Client) -> None:
    events = [await client.create("q")] * 1000
    client.held_from = 1
    for number in range(6):
        client.request(number, "events.signalMany", events=events, payload=True)
    assert not client.transport.reading
    client.go.set()
    for number in range(6):
        assert summary(await client.response(number)) == ["SUCCEEDED"] * 1000


async def test_an_invalid_payload_is_an_error_of_the_request(client: Client) -> None:
    event = await client.create("q")
    client.request(1, "events.signalMany", events=[event], payload=None)
    error = (await client.response(1))["error"]
    assert (error["data"]["kind"], error["data"]["path"]) == ("invalid_params", "/payload")
    assert (await client.result("events.get", **event))["pending"]
