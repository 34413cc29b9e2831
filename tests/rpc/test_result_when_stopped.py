"""Requests that have a result for being ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyte_sidecar.errors import BackendUnavailable, RequestCancelled, SidecarError
from flyte_sidecar.protocol.params import Params
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Call, Handler
from tests.rpc.bench import kind, request, settled, told
from tests.rpc.ending import Ending

pytestmark = pytest.mark.usefixtures("impatient")


class Watched(Ending):
    """A bench with `watch`, which says by its result why it ended.

    It ends by itself once its gate is open. `stubborn` takes its time to notice its end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stubborn: list[asyncio.Future[None]] = []
        for name, handle in {"watch": self._watch, "stubborn": self._stubborn}.items():
            handler = Handler(params_decoder(Params), handle, open_ended=True, in_batch=False)
            self.connection.handlers[name] = handler

    def _watch(self, given: Any, call: Call) -> Any:
        call.when_ended = _reason
        # As a task: it has begun its way before the connection knows of it.
        return asyncio.ensure_future(self._passed(self._gate(call), call))

    def _stubborn(self, given: Any, call: Call) -> Any:
        call.when_ended = _reason
        return self._never()

    async def _never(self) -> None:
        patience = asyncio.get_running_loop().create_future()
        self.stubborn.append(patience)
        while not patience.done():
            try:
                await asyncio.shield(patience)
            except asyncio.CancelledError:
                continue

    async def close(self) -> None:
        for patience in self.stubborn:
            patience.set_result(None)
        await settled()


def _reason(ending: SidecarError) -> str:
    return "cancelled" if isinstance(ending, RequestCancelled) else "shutdown"


def results(answers: list[Any]) -> dict[Any, Any]:
    return {answer["id"]: answer.get("result", kind(answer)) for answer in answers}


@pytest.fixture
def bench_type() -> type[Watched]:
    return Watched


async def test_being_cancelled_is_a_result(bench: Watched) -> None:
    bench.ask(1, "watch")
    await settled()
    bench.cancel(1)
    bench.cancel(1)
    await settled()
    bench.cancel(1)
    await settled()
    assert results(bench.answers()) == {1: "cancelled"}
    assert (bench.connection.waits, bench.connection.errors) == (0, 0)


async def test_being_cancelled_before_it_began_is_the_same_result(bench: Watched) -> None:
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}}
    bench.send(request(1, "watch"), cancel, request(2, "watch"))
    await settled()
    assert bench.begun == ["2"]
    assert results(bench.answers()) == {1: "cancelled"}
    bench.cancel(2)
    await settled()
    assert results(bench.answers()) == {2: "cancelled"}


async def test_what_it_ends_with_by_itself_is_told_where_the_cancellation_comes_late(
    bench: Watched,
) -> None:
    bench.ask(1, "watch")
    await settled()
    bench.release(1, "finished")
    bench.cancel(1)
    await settled()
    assert results(bench.answers()) == {1: "finished"}


async def test_an_error_of_its_own_is_told_as_that(bench: Watched) -> None:
    bench.ask(1, "watch")
    bench.ask(2, "watch")
    await settled()
    bench.gates["1"].set_exception(BackendUnavailable("down", grpcStatus="UNAVAILABLE"))
    bench.gates["2"].set_exception(BackendUnavailable("down", grpcStatus="UNAVAILABLE"))
    bench.cancel(2)
    await settled()
    assert told(bench.answers()) == [(1, "backend_unavailable"), (2, "backend_unavailable")]


async def test_past_its_timeout_it_is_late_as_any_request(bench: Watched) -> None:
    bench.ask(1, "watch", timeoutSeconds=1e-9)
    answers = await bench.soon(1)
    assert results(answers) == {1: "deadline_exceeded"}
    await settled()
    assert (bench.answers(), bench.connection.waits) == ([], 0)


async def test_with_a_timeout_it_can_be_cancelled_all_the_same(bench: Watched) -> None:
    bench.ask(1, "watch", timeoutSeconds=3600)
    await settled()
    bench.cancel(1)
    await settled()
    assert results(bench.answers()) == {1: "cancelled"}


async def test_the_end_of_input_is_a_result(bench: Watched) -> None:
    bench.ask(1, "watch")
    bench.ask(2, "wait")
    bench.connection.eof_received()
    assert await bench.status() == 0
    assert results(bench.answers()) == {1: "shutdown", 2: "shutting_down"}


async def test_after_the_end_of_input_it_goes_on_while_others_finish(bench: Watched) -> None:
    bench.ask(1, "watch")
    bench.ask(2, "work")
    bench.connection.eof_received()
    await settled()
    bench.release(1, "finished")
    bench.release(2)
    assert await bench.status() == 0
    assert results(bench.answers()) == {1: "finished", 2: "done"}


async def test_shutdown_is_a_result_and_comes_before_the_answer_to_it(bench: Watched) -> None:
    bench.ask(1, "watch")
    bench.ask(2, "wait")
    bench.ask(3, "watch", timeoutSeconds=3600)
    bench.ask(4, "shutdown")
    answers = await bench.soon(4)
    found = {1: "shutdown", 2: "shutting_down", 3: "shutdown", 4: None}
    assert results(answers) == found
    assert answers[-1]["id"] == 4


async def test_shutdown_in_the_same_read_is_a_result_too(bench: Watched) -> None:
    bench.send(request(1, "watch"), request(2, "shutdown"))
    answers = await bench.soon(2)
    assert [(answer["id"], answer["result"]) for answer in answers] == [(1, "shutdown"), (2, None)]


async def test_a_signal_is_a_result(bench: Watched) -> None:
    bench.ask(1, "watch")
    bench.ask(2, "watch", timeoutSeconds=3600)
    bench.lifecycle.terminate()
    assert await bench.status() == 0
    assert results(bench.answers()) == {1: "shutdown", 2: "shutdown"}


async def test_one_that_does_not_notice_its_end_in_time_has_the_same_result(
    bench: Watched,
) -> None:
    bench.ask(1, "stubborn")
    bench.ask(2, "watch")
    await settled()
    bench.lifecycle.terminate()
    assert await bench.status() == 0
    assert results(bench.answers()) == {1: "shutdown", 2: "shutdown"}


async def test_when_nobody_reads_there_is_no_result(bench: Watched) -> None:
    bench.ask(1, "watch")
    await settled()
    bench.connection.connection_lost(None)
    assert await bench.status() == 0
    for task in bench.connection.tasks:
        task.cancel()
    await settled()
    assert bench.answers() == []


async def test_it_counts_as_a_wait_and_not_as_work(bench: Watched) -> None:
    for identity in range(300):
        bench.ask(identity, "watch")
    bench.ask("last", "now")
    await settled()
    assert results(bench.answers()) == {"last": "now"}
    assert bench.connection.waits == 300
    for identity in range(300):
        bench.release(identity, "finished")
    await settled()
    assert set(results(bench.answers()).values()) == {"finished"}
    assert bench.connection.waits == 0


async def test_as_a_notification_or_in_a_batch_it_does_not_begin(bench: Watched) -> None:
    bench.send({"jsonrpc": "2.0", "method": "watch"})
    bench.send([request(1, "watch"), request(2, "now")])
    await settled()
    assert bench.begun == []
    (array,) = bench.answers()
    assert results(array) == {1: "invalid_request", 2: "now"}
