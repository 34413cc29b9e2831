"""One client's requests, by fake methods over a transport in memory."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec import json as fast

from sidecar.errors import BackendUnavailable, InvalidParams
from sidecar.protocol.params import Params
from sidecar.rpc.calls import Call, Handler
from sidecar.rpc.connection import MAX_UNFINISHED, MAX_WAITS, Connection
from sidecar.rpc.messages import params_reader


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

    def known(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "actionName": self.action_name}

    def end(self) -> None:
        self.ends += 1


class Bench:
    """A connection whose methods do what the test says.

    `work` and `wait` end when `release` is called with their id; `write` likewise, having an
    effect that is sent once it has begun.
    """

    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.gates: dict[str, asyncio.Future[Any]] = {}
        self.effects: list[FakeEffect] = []
        self.begun: list[str] = []
        self.notes = 0
        read = params_reader(Params)
        self.connection = Connection(
            {
                "now": Handler(read, lambda _, call: "now"),
                "fail": Handler(read, self._fail),
                "crash": Handler(read, self._crash),
                "crash.later": Handler(read, lambda _, call: self._crash_later()),
                "unencodable": Handler(read, lambda _, call: object()),
                "work": Handler(read, self._work),
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

    def _refused(self, _: Any, call: Call) -> Any:
        call.effect = effect = FakeEffect()
        self.effects.append(effect)
        raise InvalidParams("no", path="/x")

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
            await asyncio.wait_for(self.transport.wrote.wait(), 10)
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


Body = Callable[[Bench], Awaitable[None]]


def on_a_bench(body: Body) -> Callable[[], None]:
    def test() -> None:
        async def run() -> None:
            await body(Bench())

        asyncio.run(run())

    test.__name__ = body.__name__
    return test


# Answers.


@on_a_bench
async def test_a_result_that_is_there_is_answered_without_a_task(bench: Bench) -> None:
    bench.ask(1, "now")
    assert bench.answers() == [{"jsonrpc": "2.0", "id": 1, "result": "now"}]
    assert not bench.connection.tasks


@on_a_bench
async def test_answers_come_as_they_are_decided(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask("x", "work")
    bench.ask(3, "now")
    await settled()
    bench.release("x")
    await settled()
    bench.release(1)
    await settled()
    assert told(bench.answers()) == [(3, "result"), ("x", "result"), (1, "result")]


@on_a_bench
async def test_ids_are_echoed_as_they_were_sent(bench: Bench) -> None:
    texts = [b"null", b"0", b"-5", b"%d" % 10**30, rb'"\u0061\/"', '"é"'.encode(), b'""']
    for text in texts:
        bench.connection.data_received(b'{"jsonrpc":"2.0","id":%b,"method":"now"}\n' % text)
    lines = b"".join(bench.transport.written).splitlines()
    assert lines == [b'{"jsonrpc":"2.0","id":%b,"result":"now"}' % text for text in texts]


@pytest.mark.parametrize("text", [b"1.0", b"1e2", b"true", b"[]", b"{}"])
def test_other_ids_are_refused(text: bytes) -> None:
    @on_a_bench
    async def body(bench: Bench) -> None:
        bench.connection.data_received(b'{"jsonrpc":"2.0","id":%b,"method":"now"}\n' % text)
        assert told(bench.answers()) == [(None, "invalid_request")]

    body()


@on_a_bench
async def test_an_id_in_flight_is_refused_however_it_is_written(bench: Bench) -> None:
    bench.ask("a", "work")
    bench.connection.data_received(b'{"jsonrpc":"2.0","id":"\\u0061","method":"now"}\n')
    (refused,) = bench.answers()
    assert (refused["id"], kind(refused)) == (None, "invalid_request")
    assert refused["error"]["data"]["id"] == "a"
    await settled()
    bench.release("a")
    await settled()
    bench.ask("a", "now")
    assert told(bench.answers()) == [("a", "result"), ("a", "result")]


@on_a_bench
async def test_the_id_null_is_in_flight_like_any_other(bench: Bench) -> None:
    bench.ask(None, "work")
    bench.ask(None, "now")
    (refused,) = bench.answers()
    assert refused["error"]["data"]["id"] is None
    await settled()
    bench.cancel(None)
    await settled()
    assert told(bench.answers()) == [(None, "request_cancelled")]


@on_a_bench
async def test_an_id_is_free_once_its_request_timed_out(bench: Bench) -> None:
    bench.ask(1, "write", timeoutSeconds=1e-9)
    assert told(await bench.soon(1)) == [(1, "deadline_exceeded")]
    bench.ask(1, "work")
    await settled()
    bench.release(1)
    await settled()
    assert told(bench.answers()) == [(1, "result")]


@on_a_bench
async def test_responses_are_dropped(bench: Bench) -> None:
    bench.send({"jsonrpc": "2.0", "id": 1, "result": None})
    bench.send({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}})
    bench.send([{"jsonrpc": "2.0", "id": 1, "result": 5}])
    await settled()
    assert bench.answers() == []


@on_a_bench
async def test_notifications_are_never_answered(bench: Bench) -> None:
    for method in ("now", "fail", "crash", "crash.later", "unencodable", "wait", "note", "gone"):
        bench.send({"jsonrpc": "2.0", "method": method})
        bench.send({"jsonrpc": "2.0", "method": method, "params": [7]})
    bench.send([{"jsonrpc": "2.0", "method": "now"}])
    await settled()
    assert bench.answers() == []
    assert bench.notes == 1
    assert bench.connection.waits == 0


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({}, (None, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1}, (1, "invalid_request")),
        ({"id": 1, "method": "now"}, (1, "invalid_request")),
        ({"method": "now"}, (None, "invalid_request")),
        ({"jsonrpc": "1.0", "id": 1, "method": "now"}, (1, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1, "method": "gone"}, (1, "method_not_found")),
        ({"jsonrpc": "2.0", "id": 1, "method": "note"}, (1, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1, "method": "now", "params": [1]}, (1, "invalid_params")),
        ({"jsonrpc": "2.0", "id": 1, "method": "now", "extra": [1]}, (1, "result")),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, (1, "invalid_request")),
        ("x", (None, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1, "method": "$/cancelRequest"}, (1, "invalid_request")),
    ],
)
def test_every_message_that_is_no_notification_is_answered(message: Any, answer: Any) -> None:
    @on_a_bench
    async def body(bench: Bench) -> None:
        if not isinstance(message, dict):
            bench.ask(0, "now")  # a line that begins otherwise would choose the other framing
            bench.answers()
        bench.send(message)
        assert told(bench.answers()) == [answer]

    body()


@on_a_bench
async def test_the_name_of_a_mebibyte_is_not_repeated(bench: Bench) -> None:
    bench.ask(1, "x" * (1 << 20))
    (answer,) = bench.answers()
    assert len(json.dumps(answer)) < 500


@on_a_bench
async def test_an_id_of_a_mebibyte_is_echoed(bench: Bench) -> None:
    bench.ask("x" * (1 << 20), "now")
    assert bench.answers()[0]["id"] == "x" * (1 << 20)


@pytest.mark.parametrize("method", ["crash", "crash.later", "unencodable"])
def test_a_defect_is_answered_and_does_not_leak(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    @on_a_bench
    async def body(bench: Bench) -> None:
        bench.ask(1, method)
        bench.ask(2, "now")
        await settled()
        answers = sorted(bench.answers(), key=lambda answer: answer["id"])
        assert told(answers) == [(1, "internal_error"), (2, "result")]
        assert "secret" not in json.dumps(answers)

    with caplog.at_level(logging.INFO):
        body()
    assert "internal error" in caplog.text
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


@on_a_bench
async def test_an_error_has_its_code_and_data(bench: Bench) -> None:
    bench.ask(1, "fail")
    (answer,) = bench.answers()
    data = {"kind": "backend_unavailable", "retryable": True, "grpcStatus": "UNAVAILABLE"}
    assert answer["error"] == {"code": 1010, "message": "down", "data": data}


# Cancellation and timeouts.


@on_a_bench
async def test_a_cancelled_request_is_answered_once(bench: Bench) -> None:
    bench.ask(1, "work")
    await settled()
    bench.cancel(1)
    bench.cancel(1)
    await settled()
    bench.cancel(1)
    await settled()
    (answer,) = bench.answers()
    assert answer["error"]["code"] == -32800
    assert not bench.connection.tasks


@on_a_bench
async def test_a_request_cancelled_before_it_began_never_begins(bench: Bench) -> None:
    bench.send(request(1, "work"), request(2, "write"))
    bench.cancel(1)
    bench.cancel(2)
    await settled()
    assert bench.begun == []
    first, second = bench.answers()
    assert (first["error"]["code"], second["error"]["code"]) == (-32800, -32800)
    assert second["error"]["data"]["outcome"] == "none"
    assert second["error"]["data"]["actionName"] is None
    assert bench.effects[0].ends


@pytest.mark.parametrize("method", ["future", "work", "wait", "write"])
@pytest.mark.parametrize("batch", [False, True])
def test_a_result_decided_before_the_cancellation_is_told(method: str, batch: bool) -> None:
    @on_a_bench
    async def body(bench: Bench) -> None:
        bench.send([request(1, method)] if batch else request(1, method))
        await settled()
        bench.release(1, "decided")
        bench.cancel(1)
        await settled()
        answer = {"jsonrpc": "2.0", "id": 1, "result": "decided"}
        assert bench.answers() == [[answer] if batch else answer]

    body()


@on_a_bench
async def test_cancelling_what_is_not_there_does_nothing(bench: Bench) -> None:
    bench.ask(1, "now")
    others: list[Any] = [1, 2, "1", None, "x" * 5000, 1.5, [], {}]
    for identity in others:
        bench.cancel(identity)
    bench.send({"jsonrpc": "2.0", "method": "$/cancelRequest"})
    bench.ask("1", "work")
    bench.cancel(1)
    await settled()
    assert told(bench.answers()) == [(1, "result")]
    bench.release("1")


@on_a_bench
async def test_a_write_under_way_tells_what_is_known_when_it_is_cancelled(bench: Bench) -> None:
    bench.ask(1, "write")
    await settled()
    bench.cancel(1)
    await settled()
    data = bench.answers()[0]["error"]["data"]
    assert (data["outcome"], data["actionName"]) == ("unknown", "a7")
    assert bench.effects[0].ends == 1


@on_a_bench
async def test_a_refused_write_tells_no_outcome_and_gives_its_place_up(bench: Bench) -> None:
    bench.ask(1, "refused")
    assert bench.answers()[0]["error"]["data"] == {
        "kind": "invalid_params",
        "retryable": False,
        "path": "/x",
    }
    assert bench.effects[0].ends == 1


@on_a_bench
async def test_past_its_timeout_a_request_is_answered_at_once(bench: Bench) -> None:
    for identity, method in enumerate(("work", "wait", "write", "future")):
        bench.ask(identity, method, timeoutSeconds=1e-9)
    answers = await bench.soon(4)
    assert {kind(answer) for answer in answers} == {"deadline_exceeded"}
    await settled()
    assert not bench.connection.tasks
    assert bench.connection.waits == 0


@on_a_bench
async def test_a_timeout_that_did_not_pass_changes_nothing(bench: Bench) -> None:
    bench.ask(1, "work", timeoutSeconds=1e308)
    bench.ask(2, "now", timeoutSeconds=1e-9)
    await settled()
    bench.release(1)
    await settled()
    assert told(bench.answers()) == [(2, "result"), (1, "result")]


# Batches.


@on_a_bench
async def test_a_batch_is_answered_by_one_array_once_all_are_done(bench: Bench) -> None:
    note = {"jsonrpc": "2.0", "method": "note"}
    bench.send([request(1, "now"), request(2, "work"), note, 7, request(3, "fail"), []])
    await settled()
    assert bench.answers() == []
    bench.release(2)
    await settled()
    (array,) = bench.answers()
    assert told(array) == [
        (1, "result"),
        (2, "result"),
        (None, "invalid_request"),
        (3, "backend_unavailable"),
        (None, "invalid_request"),
    ]
    assert bench.notes == 1


@on_a_bench
async def test_a_batch_of_notifications_is_not_answered(bench: Bench) -> None:
    bench.send([{"jsonrpc": "2.0", "method": "note"}] * 3)
    bench.send([{"jsonrpc": "2.0", "method": "exit"}])
    await settled()
    assert bench.answers() == []
    assert bench.notes == 3


@on_a_bench
async def test_what_must_stand_alone_is_refused_in_a_batch(bench: Bench) -> None:
    bench.send([request(1, "alone"), request(2, "exit"), request(3, "now")])
    (array,) = bench.answers()
    assert [identity for identity, _ in told(array)] == [1, 2, 3]
    assert kind(array[0]) == "invalid_request"
    assert kind(array[2]) == "result"


@on_a_bench
async def test_ids_are_unique_within_a_batch_and_against_what_is_in_flight(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.send([request(1, "now"), request(2, "now"), request(2, "now")])
    (array,) = bench.answers()
    assert told(array) == [(None, "invalid_request"), (2, "result"), (None, "invalid_request")]
    bench.ask(2, "now")
    assert told(bench.answers()) == [(2, "result")]
    bench.release(1)


@on_a_bench
async def test_one_request_of_a_batch_can_be_cancelled(bench: Bench) -> None:
    bench.send([request(1, "work"), request(2, "wait")])
    await settled()
    bench.cancel(2)
    bench.release(1)
    await settled()
    (array,) = bench.answers()
    assert told(array) == [(1, "result"), (2, "request_cancelled")]


@on_a_bench
async def test_an_empty_and_a_too_long_batch_are_one_invalid_request(bench: Bench) -> None:
    bench.send([])
    bench.send([request(n, "now") for n in range(1001)])
    assert told(bench.answers()) == [(None, "invalid_request")] * 2
    bench.send([request(n, "now") for n in range(1000)])
    assert told(bench.answers()[0]) == [(n, "result") for n in range(1000)]


# Back-pressure.


@on_a_bench
async def test_while_output_is_stuck_no_message_is_taken_and_nothing_is_lost(bench: Bench) -> None:
    bench.ask("before", "work")
    await settled()
    bench.connection.pause_writing()
    taken = bench.connection.requests
    bench.send(*(request(n, "now") for n in range(500)))
    bench.release("before")
    await settled()
    assert bench.connection.requests == taken
    assert bench.transport.turns == [False]
    assert bench.answers() == []
    bench.connection.resume_writing()
    await settled()
    assert bench.transport.turns == [False, True]
    assert [answer["id"] for answer in bench.answers()] == ["before", *range(500)]


@on_a_bench
async def test_answers_are_made_only_when_there_is_room(bench: Bench) -> None:
    for n in range(10):
        bench.ask(n, "work")
    await settled()
    bench.connection.pause_writing()
    results: list[Any] = [{"n": n} for n in range(10)]
    for n, result in enumerate(results):
        bench.release(n, result)
    await settled()
    results[9]["n"] = "later"
    bench.connection.resume_writing()
    await settled()
    assert bench.answers()[9]["result"] == {"n": "later"}


@on_a_bench
async def test_too_many_unfinished_requests_pause_the_reading(bench: Bench) -> None:
    bench.send(*(request(n, "work") for n in range(MAX_UNFINISHED + 50)))
    await settled()
    assert len(bench.connection.tasks) == MAX_UNFINISHED
    assert bench.transport.turns == [False]
    bench.release(0)
    await settled()
    assert len(bench.connection.tasks) == MAX_UNFINISHED
    assert bench.transport.turns == [False]
    for n in range(1, MAX_UNFINISHED):
        bench.release(n)
    await settled()
    assert bench.transport.turns == [False, True]
    assert len(bench.answers()) == MAX_UNFINISHED
    for n in range(MAX_UNFINISHED, MAX_UNFINISHED + 50):
        bench.release(n)
    await settled()
    assert len(bench.answers()) == 50


@on_a_bench
async def test_waits_do_not_pause_the_reading_and_one_too_many_is_refused(bench: Bench) -> None:
    bench.send(*(request(n, "wait") for n in range(MAX_WAITS + 1)))
    await settled()
    (refused,) = bench.answers()
    assert (refused["id"], kind(refused)) == (MAX_WAITS, "too_many_waits")
    assert refused["error"]["data"] == {
        "kind": "too_many_waits",
        "retryable": True,
        "limit": MAX_WAITS,
    }
    assert bench.transport.turns == []
    bench.ask("x", "now")
    bench.cancel(5)
    await settled()
    bench.ask("y", "wait")
    assert told(bench.answers()) == [("x", "result"), (5, "request_cancelled")]
    assert bench.connection.waits == MAX_WAITS
    for gate in bench.gates.values():
        gate.cancel()
    await settled()


@on_a_bench
async def test_the_end_of_input_is_told_once_all_messages_are_taken(bench: Bench) -> None:
    ends: list[int] = []
    bench.connection.on_input_end = ends.append
    bench.connection.pause_writing()
    bench.send(request(1, "now"), request(2, "now"))
    bench.connection.eof_received()
    assert ends == []
    bench.connection.resume_writing()
    assert ends == [0]
    assert told(bench.answers()) == [(1, "result"), (2, "result")]


@on_a_bench
async def test_stuck_work_does_not_hide_the_end_of_input(bench: Bench) -> None:
    ends: list[int] = []
    bench.connection.on_input_end = ends.append
    bench.send(*(request(n, "work") for n in range(MAX_UNFINISHED + 20)))
    bench.connection.eof_received()
    assert ends == [0]
    assert len(bench.connection.tasks) == MAX_UNFINISHED + 20


@on_a_bench
async def test_after_a_head_without_a_length_nothing_more_is_taken_or_kept(bench: Bench) -> None:
    ends: list[int] = []
    bench.connection.on_input_end = ends.append
    bench.connection.data_received(b"hello\r\n")
    assert ends == [1]
    assert bench.transport.turns == [False]
    bench.connection.data_received(b'Content-Length: 2\r\n\r\n{}{"x":1}')
    bench.connection.eof_received()
    assert ends == [1]
    assert b"".join(bench.transport.written).count(b"Content-Length") == 1


@on_a_bench
async def test_once_nobody_reads_nothing_is_kept(bench: Bench) -> None:
    lost: list[bool] = []
    bench.connection.on_lost = lambda: lost.append(True)
    bench.ask(1, "work")
    await settled()
    bench.connection.pause_writing()
    bench.connection.connection_lost(None)
    bench.release(1)
    await settled()
    assert lost == [True]
    await asyncio.wait_for(bench.connection.outbox.drained(), 5)


# Exactly one answer.

ID = st.integers(0, 6)
METHOD = st.sampled_from(["now", "work", "wait", "write", "future", "fail", "crash", "gone"])
TIMEOUT = st.sampled_from([None, None, None, 1e-9, 60.0])
STEP = st.one_of(
    st.tuples(st.just("ask"), ID, METHOD, TIMEOUT),
    st.tuples(st.just("cancel"), ID),
    st.tuples(st.just("release"), ID),
    st.tuples(st.just("batch"), st.lists(st.tuples(ID, METHOD, TIMEOUT), min_size=1, max_size=4)),
    st.tuples(st.just("garbage"), st.sampled_from([b"{", b"[]", b"[1", b"1", b'{"id":77'])),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("run"), st.integers(1, 3)),
)


def asked(identity: Any, method: str, timeout: float | None) -> dict[str, Any]:
    params = {} if timeout is None else {"timeoutSeconds": timeout}
    return request(identity, method, **params)


@settings(max_examples=250, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_every_request_has_exactly_one_answer_whatever_happens(steps: list[Any]) -> None:
    async def run() -> None:
        bench = Bench()
        bench.ask("first", "now")
        expected = 1
        named: Counter[str] = Counter()
        paused = False
        for step in steps:
            if step[0] == "ask":
                bench.send(asked(*step[1:]))
                expected += 1
                named[step[1]] += 1
            elif step[0] == "batch":
                bench.send([asked(*one) for one in step[1]])
                expected += len(step[1])
                named.update(one[0] for one in step[1])
            elif step[0] == "cancel":
                bench.cancel(step[1])
            elif step[0] == "release":
                if json.dumps(step[1]) in bench.gates:
                    bench.release(step[1])
            elif step[0] == "garbage":
                bench.connection.data_received(step[1] + b"\n")
                expected += 1
            elif step[0] == "pause" and step[1] != paused:
                paused = step[1]
                (bench.connection.pause_writing if paused else bench.connection.resume_writing)()
            elif step[0] == "run":
                for _ in range(step[1]):
                    await asyncio.sleep(0)
        if paused:
            bench.connection.resume_writing()
        while bench.connection.tasks or bench.connection._decoder.next() is not None:
            for task in list(bench.connection.tasks):
                task.cancel()
            await settled()
        await settled()
        answers: list[Any] = []
        for answer in bench.answers():
            answers += answer if isinstance(answer, list) else [answer]
        assert len(answers) == expected
        for identity, count in Counter(answer["id"] for answer in answers).items():
            assert identity in (None, "first", 77) or count <= named[identity]
        assert all(effect.ends for effect in bench.effects)

    asyncio.run(run())


def test_raw_ids_survive_the_encoder() -> None:
    assert fast.encode({"id": Raw(b"5")}) == b'{"id":5}'
