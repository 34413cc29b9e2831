"""Requests that have an outcome of their own when they are interrupted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyte_sidecar.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    RequestCancelled,
    SidecarError,
)
from flyte_sidecar.protocol.params import Params
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Context, Deferred, Handler
from tests.rpc.fake_server import FakeServer, ids_and_kinds, kind, request, run_pending

pytestmark = pytest.mark.usefixtures("short_timeouts")


class Watched(FakeServer):
    """A server with `watch`, whose result says why it ended.

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
        return Deferred(work, outcome_when_interrupted=_outcome)

    def _stubborn(self, params: Any, context: Context) -> Deferred:
        return Deferred(self._never(), outcome_when_interrupted=_outcome)

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
        await run_pending()


def _outcome(reason: SidecarError) -> str | SidecarError:
    if isinstance(reason, DeadlineExceeded):
        return BackendUnavailable("slow", grpcStatus="UNAVAILABLE")
    return "cancelled" if isinstance(reason, RequestCancelled) else "shutdown"


def results(answers: list[Any]) -> dict[Any, Any]:
    return {answer["id"]: answer.get("result", kind(answer)) for answer in answers}


@pytest.fixture
def server_type() -> type[Watched]:
    return Watched


async def test_a_cancelled_watch_returns_its_result(server: Watched) -> None:
    server.request(1, "watch")
    await run_pending()
    server.cancel(1)
    server.cancel(1)
    await run_pending()
    server.cancel(1)
    await run_pending()
    assert results(server.answers()) == {1: "cancelled"}
    assert (server.counters.waits, server.counters.errors) == (0, 0)


async def test_a_watch_cancelled_before_it_started_returns_the_same_result(server: Watched) -> None:
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}}
    server.send(request(1, "watch"), cancel, request(2, "watch"))
    await run_pending()
    assert server.started == ["2"]
    assert results(server.answers()) == {1: "cancelled"}
    server.cancel(2)
    await run_pending()
    assert results(server.answers()) == {2: "cancelled"}


async def test_a_result_before_a_late_cancellation_is_reported(
    server: Watched,
) -> None:
    server.request(1, "watch")
    await run_pending()
    server.release(1, "finished")
    server.cancel(1)
    await run_pending()
    assert results(server.answers()) == {1: "finished"}


async def test_the_error_of_a_watch_is_reported(server: Watched) -> None:
    server.request(1, "watch")
    server.request(2, "watch")
    await run_pending()
    server.gates["1"].set_exception(BackendUnavailable("down", grpcStatus="UNAVAILABLE"))
    server.gates["2"].set_exception(BackendUnavailable("down", grpcStatus="UNAVAILABLE"))
    server.cancel(2)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [
        (1, "backend_unavailable"),
        (2, "backend_unavailable"),
    ]


async def test_a_watch_whose_timeout_passes_has_its_own_outcome_too(server: Watched) -> None:
    server.request(1, "watch", timeoutSeconds=1e-9)
    answers = await server.wait_for(1)
    assert results(answers) == {1: "backend_unavailable"}
    await run_pending()
    assert (server.answers(), server.counters.waits) == ([], 0)


async def test_a_watch_with_a_timeout_can_be_cancelled(server: Watched) -> None:
    server.request(1, "watch", timeoutSeconds=3600)
    await run_pending()
    server.cancel(1)
    await run_pending()
    assert results(server.answers()) == {1: "cancelled"}


async def test_the_end_of_input_ends_a_watch_with_its_result(server: Watched) -> None:
    server.request(1, "watch")
    server.request(2, "wait")
    server.connection.eof_received()
    assert await server.status() == 0
    assert results(server.answers()) == {1: "shutdown", 2: "shutting_down"}


async def test_a_watch_continues_after_the_end_of_input_while_others_finish(
    server: Watched,
) -> None:
    server.request(1, "watch")
    server.request(2, "work")
    server.connection.eof_received()
    await run_pending()
    server.release(1, "finished")
    server.release(2)
    assert await server.status() == 0
    assert results(server.answers()) == {1: "finished", 2: "done"}


async def test_a_watch_is_answered_before_shutdown(server: Watched) -> None:
    server.request(1, "watch")
    server.request(2, "wait")
    server.request(3, "watch", timeoutSeconds=3600)
    server.request(4, "shutdown")
    answers = await server.wait_for(4)
    found = {1: "shutdown", 2: "shutting_down", 3: "shutdown", 4: None}
    assert results(answers) == found
    assert answers[-1]["id"] == 4


async def test_a_watch_read_together_with_shutdown_is_answered_before_it(server: Watched) -> None:
    server.send(request(1, "watch"), request(2, "shutdown"))
    answers = await server.wait_for(2)
    assert [(answer["id"], answer["result"]) for answer in answers] == [(1, "shutdown"), (2, None)]


@pytest.mark.posix
async def test_a_signal_ends_a_watch_with_its_result(server: Watched) -> None:
    server.request(1, "watch")
    server.request(2, "watch", timeoutSeconds=3600)
    server.shutdown.terminate()
    assert await server.status() == 0
    assert results(server.answers()) == {1: "shutdown", 2: "shutdown"}


@pytest.mark.posix
async def test_a_watch_that_ignores_its_cancellation_has_the_same_result(
    server: Watched,
) -> None:
    server.request(1, "stubborn")
    server.request(2, "watch")
    await run_pending()
    server.shutdown.terminate()
    assert await server.status() == 0
    assert results(server.answers()) == {1: "shutdown", 2: "shutdown"}


async def test_nothing_is_sent_after_the_reader_is_gone(server: Watched) -> None:
    server.request(1, "watch")
    await run_pending()
    server.connection.connection_lost(None)
    assert await server.status() == 0
    for task in server.tasks:
        task.cancel()
    await run_pending()
    assert server.answers() == []


async def test_watches_count_as_waits(server: Watched) -> None:
    for request_id in range(300):
        server.request(request_id, "watch")
    server.request("last", "now")
    await run_pending()
    assert results(server.answers()) == {"last": "now"}
    assert server.counters.waits == 300
    for request_id in range(300):
        server.release(request_id, "finished")
    await run_pending()
    assert set(results(server.answers()).values()) == {"finished"}
    assert server.counters.waits == 0


async def test_a_watch_does_not_start_as_a_notification_or_in_a_batch(server: Watched) -> None:
    server.send({"jsonrpc": "2.0", "method": "watch"})
    server.send([request(1, "watch"), request(2, "now")])
    await run_pending()
    assert server.started == []
    (array,) = server.answers()
    assert results(array) == {1: "invalid_request", 2: "now"}
