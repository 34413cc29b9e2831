"""The connection of a backend: opened at the first request, reconnected, limited, closed."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import pytest

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.backends.flyte.read import events
from flyte_sidecar.errors import BackendUnavailable, DeadlineExceeded, SidecarError
from flyte_sidecar.events.model import Target
from tests.backends.flyte.scenarios import ask, timed, until
from tests.conftest import TEST_TIMEOUT, run
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient, settle


def backend_at(endpoint: str) -> FlyteBackend:
    deployment = Deployment(
        endpoint=endpoint, insecure=True, project=RUN.project, domain=RUN.domain
    )
    return FlyteBackend(deployment, "flyte-sidecar-tests")


async def test_nothing_is_connected_before_the_first_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        backend = backend_at(f"127.0.0.1:{listener.getsockname()[1]}")
        await settle(20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        await backend.close()


async def test_a_slow_connection_is_used(flyte: FlyteHarness) -> None:
    action = ask(flyte)
    host, port = flyte.server.endpoint.split(":")

    gone = asyncio.Event()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            sink.write(data)
        sink.close()
        await sink.wait_closed()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.7)  # a slow network or a busy server
        upstream = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))
        gone.set()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as relaying:
        backend = backend_at(f"127.0.0.1:{relaying.sockets[0].getsockname()[1]}")
        found = await backend.find(Target(RUN, action_name=action))
        assert found is not None
        await backend.close()
        await gone.wait()


async def test_an_unreachable_server_is_used_after_it_has_started(
    flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(flyte)
    flyte.server.stop()
    backend = flyte.backend()
    for _ in range(3):
        with pytest.raises(BackendUnavailable) as refused:
            await backend.find(Target(RUN, name="q"))
        assert refused.value.retryable
    assert not await backend.healthy()
    flyte.server.start()
    async with asyncio.timeout(TEST_TIMEOUT):
        while not await backend.healthy():  # noqa: ASYNC110 - it is told by asking alone
            await asyncio.sleep(0.01)
    assert await backend.find(Target(RUN, name="q")) is not None


async def test_a_host_that_does_not_exist_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = backend_at("no-such-host.invalid:1")
    with pytest.raises(BackendUnavailable, match=r"no-such-host\.invalid:1"):
        await backend.find(Target(RUN, name="q"))
    await backend.close()


@timed(call_timeout=2.0)
async def test_a_call_without_a_response_ends_at_its_deadline(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(flyte)
    await client.get("q")
    flyte.server.faults.delay["GetActionDetails"] = 3600.0
    with pytest.raises(DeadlineExceeded):
        await client.get("q")


async def test_a_request_limits_its_concurrent_calls_and_makes_none_after_its_cancellation(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    await client.page()
    for place in range(200):
        ask(flyte, f"q{place}")
    flyte.server.calls.clear()
    flyte.server.faults.delay["GetActionDetails"] = 3600.0
    listing = asyncio.ensure_future(client.page(limit=200))
    await until(lambda: flyte.server.calls["GetActionDetails"] == events.MAX_CONCURRENT_READS)
    await settle(200)
    assert flyte.server.calls["GetActionDetails"] == events.MAX_CONCURRENT_READS
    listing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listing
    flyte.server.faults.delay.clear()
    assert await client.get("q0") is not None
    assert flyte.server.calls["GetActionDetails"] == events.MAX_CONCURRENT_READS + 1


async def test_close_cancels_calls_and_a_later_request_reconnects(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    await client.get("q")
    flyte.server.faults.delay["ListActions"] = 3600.0
    gets = [asyncio.ensure_future(client.get("q")) for _ in range(5)]
    await until(lambda: flyte.server.calls["ListActions"] == 6)
    await flyte.close()
    for one in gets:
        with pytest.raises(SidecarError):
            await one
    flyte.server.faults.delay.clear()
    assert await client.get("q") is not None


async def test_an_unused_backend_can_be_closed(flyte: FlyteHarness) -> None:
    await flyte.close()
    await flyte.close()
    assert not flyte.server.calls


@pytest.mark.parametrize(("chosen", "used"), [(None, "native"), ("ares", "ares")])
def test_host_names_are_resolved_by_the_system_unless_the_user_chose_otherwise(
    chosen: str | None, used: str
) -> None:
    code = (
        "import os; from flyte_sidecar.backends.flyte.rpc import grpc_transport;"
        "print(os.environ['GRPC_DNS_RESOLVER'])"
    )
    env = {name: value for name, value in os.environ.items() if name != "GRPC_DNS_RESOLVER"}
    if chosen is not None:
        env["GRPC_DNS_RESOLVER"] = chosen
    assert run(sys.executable, "-c", code, env=env).stdout.strip() == used
