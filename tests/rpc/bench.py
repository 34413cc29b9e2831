"""Fake methods behind a connection, over a transport in memory."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from msgspec import json as fast

from flyte_sidecar.errors import BackendUnavailable, InvalidParams
from flyte_sidecar.protocol.params import Params
from flyte_sidecar.rpc.connection import Connection
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Call, Handler
from tests.conftest import TEST_TIMEOUT


class FakeTransport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.wrote = asyncio.Event()
        self.turns: list[bool] = []  # reading resumed or paused

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.wrote.set()

    def pause_reading(self) -> None:
        self.turns.append(False)

    def resume_reading(self) -> None:
        self.turns.append(True)

    async def drained(self) -> None:
        return


class FakeEffect:
    def __init__(self) -> None:
        self.outcome = "none"
        self.action_name: str | None = None
        self.ends = 0

    def describe(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "actionName": self.action_name}

    def end(self) -> None:
        self.ends += 1


class Bench:
    """A connection whose methods do what the test says.

    `work`, `light` and `wait` end when `release` is called with their id; `write` likewise, having
    an effect that is sent once it has begun, and `stubborn`, whatever cancels it.
    """

    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.gates: dict[str, asyncio.Future[Any]] = {}
        self.effects: list[FakeEffect] = []
        self.begun: list[str] = []
        self.notes = 0
        read = params_decoder(Params)
        self.connection = Connection(
            {
                "now": Handler(read, lambda _, call: "now"),
                "fail": Handler(read, self._fail),
                "crash": Handler(read, self._crash),
                "crash.later": Handler(read, lambda _, call: self._crash_later()),
                "unencodable": Handler(read, lambda _, call: object()),
                "work": Handler(read, self._work),
                "light": Handler(read, self._work, light=True),
                "stubborn": Handler(read, self._stubborn),
                "future": Handler(read, self._future),
                "write": Handler(read, self._write),
                "refused": Handler(read, self._refused),
                "wait": Handler(read, self._work, open_ended=True),
                "alone": Handler(read, lambda _, call: "alone", in_batch=False),
                "note": Handler(read, self._note, notification=True),
            },
            fast.Encoder().encode,
        )
        self.connection.connection_made(self.transport)

    def _fail(self, _: Any, call: Call) -> Any:
        raise BackendUnavailable("down", grpcStatus="UNAVAILABLE")

    def _crash(self, _: Any, call: Call) -> Any:
        raise RuntimeError("secret token")

    async def _crash_later(self) -> Any:
        raise RuntimeError("secret token")

    def _note(self, _: Any, call: Call) -> None:
        self.notes += 1

    def _gate(self, call: Call) -> asyncio.Future[Any]:
        made = asyncio.get_running_loop().create_future()
        self.gates[(call.id or b"none").decode()] = made
        return made

    def _work(self, _: Any, call: Call) -> Any:
        return self._passed(self._gate(call), call)

    async def _passed(self, gate: asyncio.Future[Any], call: Call) -> Any:
        self.begun.append((call.id or b"none").decode())
        return await gate

    def _future(self, _: Any, call: Call) -> Any:
        return self._gate(call)

    def _write(self, _: Any, call: Call) -> Any:
        call.effect = effect = FakeEffect()
        self.effects.append(effect)
        return self._written(self._gate(call), effect)

    async def _written(self, gate: asyncio.Future[Any], effect: FakeEffect) -> Any:
        effect.outcome, effect.action_name = "unknown", "a7"
        return await gate

    def _stubborn(self, _: Any, call: Call) -> Any:
        return self._unmoved(self._gate(call))

    async def _unmoved(self, gate: asyncio.Future[Any]) -> Any:
        while not gate.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(gate)

    def _refused(self, _: Any, call: Call) -> Any:
        call.effect = effect = FakeEffect()
        self.effects.append(effect)
        raise InvalidParams("no", path="/x")

    async def close(self) -> None:
        """Let go of whatever would keep the loop from ending."""

    def send(self, *messages: Any) -> None:
        self.connection.data_received(b"".join(fast.encode(one) + b"\n" for one in messages))

    def ask(self, identity: Any, method: str, **params: Any) -> None:
        self.send(request(identity, method, **params))

    def cancel(self, identity: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": identity}})

    def release(self, identity: Any, result: Any = "done") -> None:
        gate = self.gates.pop(json.dumps(identity))
        if not gate.done():
            gate.set_result(result)

    def answers(self) -> list[Any]:
        """Give what was answered since the last time."""
        data = b"".join(self.transport.written)
        self.transport.written.clear()
        self.transport.wrote.clear()
        return [json.loads(line) for line in data.splitlines()]

    async def soon(self, count: int) -> list[Any]:
        """Wait for so many answers."""
        answers = self.answers()
        while len(answers) < count:
            await asyncio.wait_for(self.transport.wrote.wait(), TEST_TIMEOUT)
            answers += self.answers()
        return answers


def request(identity: Any, method: str, **params: Any) -> dict[str, Any]:
    made = {"jsonrpc": "2.0", "id": identity, "method": method}
    return {**made, "params": params} if params else made


async def settled() -> None:
    """Let everything run that can run."""
    for _ in range(8):
        await asyncio.sleep(0)


def kind(answer: Any) -> str:
    if "error" not in answer:
        return "result"
    found: str = answer["error"]["data"]["kind"]
    return found


def told(answers: list[Any]) -> list[tuple[Any, str]]:
    return [(answer["id"], kind(answer)) for answer in answers]
