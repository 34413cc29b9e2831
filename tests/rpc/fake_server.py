"""Fake methods behind a connection, over a transport in memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from msgspec import json as fast

from flyte_sidecar.errors import BackendUnavailable, InvalidParams
from flyte_sidecar.protocol.params import Params
from flyte_sidecar.rpc.connection import Connection
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.memory_transport import MemoryTransport
from flyte_sidecar.rpc.requests import (
    ConnectionCounters,
    Context,
    Deferred,
    Handler,
    PendingRequest,
    Request,
)
from flyte_sidecar.rpc.transport import StreamProtocol
from tests.conftest import TEST_TIMEOUT


class RecordingTransport(MemoryTransport):
    """A transport in memory that records whether reading was resumed or paused."""

    def __init__(self, protocol: StreamProtocol) -> None:
        self.turns: list[bool] = []
        super().__init__(protocol, sys.maxsize)

    def pause_reading(self) -> None:
        super().pause_reading()
        self.turns.append(False)

    def resume_reading(self) -> None:
        super().resume_reading()
        self.turns.append(True)


class FakeWrite:
    def __init__(self) -> None:
        self.outcome = "none"
        self.action_name: str | None = None
        self.ends = 0

    def describe(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "actionName": self.action_name}

    def end(self) -> None:
        self.ends += 1


class FakeServerConnection(Connection):
    """A connection that shows its handlers the id of the request that they start."""

    starting = ""

    def _start(self, request: Request, *more: Any) -> Any:
        self.starting = request.id.decode() or "none"
        return super()._start(request, *more)


class FakeServer:
    """A connection with fake methods, and its client.

    `work`, `light` and `wait` end when `release` is called with their id; `write` likewise, as a
    write that is sent once it has started, `heavy`, which counts as a hundred requests, and
    `stubborn`, which ignores cancellation.
    """

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Future[Any]] = {}
        self.writes: list[FakeWrite] = []
        self.started: list[str] = []
        self.notifications = 0
        self.connection = FakeServerConnection(self.handlers(), fast.Encoder().encode)
        self.shutdown = self.connection.shutdown
        self.transport = RecordingTransport(self.connection)

    @property
    def tasks(self) -> Mapping[asyncio.Future[Any], PendingRequest]:
        return self.connection.runner.tasks

    @property
    def counters(self) -> ConnectionCounters:
        return self.connection.counters()

    def handlers(self) -> dict[str, Handler]:
        decode = params_decoder(Params)
        return {
            "now": Handler(decode, lambda _, context: "now"),
            "fail": Handler(decode, self._fail),
            "crash": Handler(decode, self._crash),
            "crash.later": Handler(decode, lambda _, context: self._crash_later()),
            "unencodable": Handler(decode, lambda _, context: object()),
            "work": Handler(decode, self._work),
            "light": Handler(decode, self._work, light=True),
            "stubborn": Handler(decode, self._stubborn),
            "future": Handler(decode, self._future),
            "write": Handler(decode, self._write),
            "heavy": Handler(decode, lambda _, context: Deferred(self._gate(), weight=100)),
            "refused": Handler(decode, self._refused),
            "wait": Handler(decode, self._work, open_ended=True),
            "alone": Handler(decode, lambda _, context: "alone", in_batch=False),
            "note": Handler(decode, self._note, notification=True),
        }

    def _fail(self, _: Any, context: Context) -> Any:
        raise BackendUnavailable("down", grpcStatus="UNAVAILABLE")

    def _crash(self, _: Any, context: Context) -> Any:
        raise RuntimeError("secret token")

    async def _crash_later(self) -> Any:
        raise RuntimeError("secret token")

    def _note(self, _: Any, context: Context) -> None:
        self.notifications += 1

    def _gate(self) -> asyncio.Future[Any]:
        gate = asyncio.get_running_loop().create_future()
        self.gates[self.connection.starting] = gate
        return gate

    def _work(self, _: Any, context: Context) -> Any:
        return self._passed(self._gate(), self.connection.starting)

    async def _passed(self, gate: asyncio.Future[Any], request_id: str) -> Any:
        self.started.append(request_id)
        return await gate

    def _future(self, _: Any, context: Context) -> Any:
        return self._gate()

    def _write(self, _: Any, context: Context) -> Any:
        write = FakeWrite()
        self.writes.append(write)
        return Deferred(self._written(self._gate(), write), write)

    async def _written(self, gate: asyncio.Future[Any], write: FakeWrite) -> Any:
        write.outcome, write.action_name = "unknown", "a7"
        return await gate

    def _stubborn(self, _: Any, context: Context) -> Any:
        return self._unmoved(self._gate())

    async def _unmoved(self, gate: asyncio.Future[Any]) -> Any:
        while not gate.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(gate)

    def _refused(self, _: Any, context: Context) -> Any:
        write = FakeWrite()
        self.writes.append(write)
        return Deferred(self._refuse(), write)

    async def _refuse(self) -> Any:
        raise InvalidParams("no", path="/x")

    async def close(self) -> None:
        """Release what would keep the loop from ending."""

    def send(self, *messages: Any) -> None:
        self.connection.data_received(b"".join(fast.encode(one) + b"\n" for one in messages))

    def request(self, request_id: Any, method: str, **params: Any) -> None:
        self.send(request(request_id, method, **params))

    def cancel(self, request_id: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": request_id}})

    def release(self, request_id: Any, result: Any = "done") -> None:
        gate = self.gates.pop(json.dumps(request_id))
        if not gate.done():
            gate.set_result(result)

    def answers(self) -> list[Any]:
        """Return the responses since the last time."""
        return [json.loads(line) for line in self.transport.read().splitlines()]

    async def wait_for(self, count: int) -> list[Any]:
        """Wait for a number of responses."""
        answers = self.answers()
        while len(answers) < count:
            await asyncio.wait_for(self.transport.wait_readable(), TEST_TIMEOUT)
            answers += self.answers()
        return answers

    def exit(self) -> None:
        self.send({"jsonrpc": "2.0", "method": "exit"})

    async def status(self) -> int:
        """Wait for the exit status."""
        return await asyncio.wait_for(asyncio.shield(self.shutdown.ended), TEST_TIMEOUT)


def request(request_id: Any, method: str, **params: Any) -> dict[str, Any]:
    made = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return {**made, "params": params} if params else made


async def run_pending() -> None:
    """Run everything that is scheduled."""
    for _ in range(8):
        await asyncio.sleep(0)


def kind(answer: Any) -> str:
    if "error" not in answer:
        return "result"
    found: str = answer["error"]["data"]["kind"]
    return found


def ids_and_kinds(answers: list[Any]) -> list[tuple[Any, str]]:
    return [(answer["id"], kind(answer)) for answer in answers]
