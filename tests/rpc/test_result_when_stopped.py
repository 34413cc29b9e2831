"""Requests that have a result for being ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyte_sidecar.errors import BackendUnavailable, RequestCancelled, SidecarError
from flyte_sidecar.protocol.params import Params
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Context, Deferred, Handler
from tests.rpc.bench import Bench, kind, request, settled, told

pytestmark = pytest.mark.usefixtures("impatient")


class Watched(Bench):
    """A bench with `watch`, whose result says why it ended.

    It ends by itself when its gate opens. `stubborn` ignores its cancellation for long.
    """

    def __init__(self) -> None:
        self.stubborn: list[asyncio.Future[None]] = []
        super().__init__()

    def handlers(self) -> dict[str, Handler]:
        added = {"watch": self._watch, "stubborn": self._stubborn}
        return super().handlers() | {
            name: Handler(params_decoder(Params), handle, open_ended=True, in_batch=False)
            for name, handle in added.items()
        }

    def _watch(self, params: Any, context: Context) -> Deferred:
        # As a task: it is scheduled before the connection knows of it.
        work = asyncio.ensure_future(self._passed(self._gate(), self.connection.starting))
        return Deferred(work, result_when_cancelled=_reason)

    def _stubborn(self, params: Any, context: Context) -> Deferred:
        return Deferred(self._never(), result_when_cancelled=_reason)

    async def _never(self) -> None:
        released = asyncio.get_running_loop().create_future()
        self.stubborn.append(released)
        while not released.done():
            try:
                await asyncio.shield(released)
            except asyncio.CancelledError:
                continue

    async def close(self) -> None:
        for released in self.stubborn:
            released.set_result(None)
        await settled()


def _reason(reason: SidecarError) -> str:
    return "cancelled" if isinstance(reason, RequestCancelled) else "shutdown"


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
    assert (bench.counters.waits, bench.counters.errors) == (0, 0)


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
    assert (bench.answers(), bench.counters.waits) == ([], 0)


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
    bench.shutdown.terminate()
    assert await bench.status() == 0
    assert results(bench.answers()) == {1: "shutdown", 2: "shutdown"}


async def test_one_that_does_not_notice_its_end_in_time_has_the_same_result(
    bench: Watched,
) -> None:
    bench.ask(1, "stubborn")
    bench.ask(2, "watch")
    await settled()
    bench.shutdown.terminate()
    assert await bench.status() == 0
    assert results(bench.answers()) == {1: "shutdown", 2: "shutdown"}


async def test_when_nobody_reads_there_is_no_result(bench: Watched) -> None:
    bench.ask(1, "watch")
    await settled()
    bench.connection.connection_lost(None)
    assert await bench.status() == 0
    for task in bench.tasks:
        task.cancel()
    await settled()
    assert bench.answers() == []


async def test_it_counts_as_a_wait_and_not_as_work(bench: Watched) -> None:
    for identity in range(300):
        bench.ask(identity, "watch")
    bench.ask("last", "now")
    await settled()
    assert results(bench.answers()) == {"last": "now"}
    assert bench.counters.waits == 300
    for identity in range(300):
        bench.release(identity, "finished")
    await settled()
    assert set(results(bench.answers()).values()) == {"finished"}
    assert bench.counters.waits == 0


async def test_as_a_notification_or_in_a_batch_it_does_not_begin(bench: Watched) -> None:
    bench.send({"jsonrpc": "2.0", "method": "watch"})
    bench.send([request(1, "watch"), request(2, "now")])
    await settled()
    assert bench.begun == []
    (array,) = bench.answers()
    assert results(array) == {1: "invalid_request", 2: "now"}
