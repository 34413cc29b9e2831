"""Limits on concurrent streams and calls, for each HTTP/2 connection and in total."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flyte_sidecar.backends.flyte.rpc import call_limiter, grpc_transport, stream_limiter
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.events.model import Run, Target
from tests.backends.flyte.scenarios import prove, until
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, SCOPE, BackendClient
from tests.fake_runservice.hostile import held, served

STREAM = "WatchActions"


def waiting_runs(flyte: FlyteHarness, count: int) -> list[Run]:
    for number in range(count):
        flyte.server.model.ask(f"r{number}", "q")
    return [SCOPE.run(f"r{number}") for number in range(count)]


async def test_streams_beyond_the_limit_of_a_connection_use_more_connections(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    count = 300  # the server accepts 250 concurrent calls on a connection
    for run in waiting_runs(flyte, count):
        client.watch(run)
    await until(lambda: flyte.server.open_streams[STREAM] == count)
    connections = flyte.server.service.connections
    assert max(connections.values()) <= grpc_transport.STREAMS_PER_CONNECTION
    assert await client.get("q") is not None


async def test_a_connection_is_used_again_after_its_streams_have_ended(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_transport, "STREAMS_PER_CONNECTION", 2)
    for _ in range(3):
        watching = [client.watch(run) for run in waiting_runs(flyte, 6)]
        await until(lambda: flyte.server.open_streams[STREAM] == 6)
        for one in watching:
            await one.close()
        await until(lambda: flyte.server.open_streams[STREAM] == 0)
    assert len(flyte.server.service.connections) == 3


async def test_a_write_does_not_wait_for_the_calls_of_reads(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_limiter, "MAX_CALLS", 1)
    event = await client.get(action_name=flyte.server.model.ask(RUN.name, "q"))
    assert event is not None
    gate = threading.Event()
    flyte.server.hostile.script("ListActions", [held(gate, served())])
    listing = asyncio.ensure_future(client.listing())
    await until(lambda: flyte.server.hostile.calls["ListActions"] == 1)
    write = client.service.write(Target(RUN, action_name=event.action_name))
    assert (await write.perform(flyte.backend().signal(event, True))).payload is True
    gate.set()
    assert [one.name for one in await listing] == ["q"]


async def test_watches_leave_streams_to_snapshots(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_transport.GrpcTransport, "max_streams", 2)
    followed = waiting_runs(flyte, 3)
    for run in followed:
        await client.watch(run).synced()
    await until(lambda: flyte.server.open_streams[STREAM] == 2)
    prove(flyte, "other")
    for _ in range(20):
        flyte.server.model.ask("other", "q")
    opened = flyte.server.calls[STREAM]
    listed = await client.page(SCOPE.run("other"), details=False)
    assert len(listed.events) == 21
    assert flyte.server.calls[STREAM] == opened + 1


def test_failing_streams_are_retried_at_a_rate_that_all_runs_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(stream_limiter, "monotonic", lambda: now)
    limiter = stream_limiter.StreamLimiter(lambda: 1000)
    runs = [SCOPE.run(f"r{number}") for number in range(1000)]
    for run in runs:
        assert limiter.acquire(run)
        limiter.release()
        limiter.mark_failing(run, RpcError("UNAVAILABLE", "no streams here"))
    now = stream_limiter.RETRY_INTERVAL + 1
    assert sum(limiter.acquire(run) for run in runs) <= 62
    now = 1001.0
    assert all(limiter.acquire(run) for run in runs[100:200])


def test_unsupported_streams_are_not_retried_for_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(stream_limiter, "monotonic", lambda: now)
    limiter = stream_limiter.StreamLimiter(lambda: 1000)
    limiter.mark_failing(SCOPE.run("r1"), RpcError("UNIMPLEMENTED", "WatchActions"))
    now = 500.0
    assert not limiter.acquire(SCOPE.run("r2"))
    now = 700.0
    assert limiter.acquire(SCOPE.run("r2"))
