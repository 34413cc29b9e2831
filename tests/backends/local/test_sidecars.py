"""Real sidecar processes on one store."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from flyte_sidecar.client import Client
from flyte_sidecar.errors import SidecarError
from tests.backends.local.conftest import Worker
from tests.conftest import ROOT, TEST_TIMEOUT

MEGABYTE = 1 << 20
EVENTS = 100_000


def spawn(store: Path, *options: str) -> Any:
    return Client.spawn("--store", str(store), *options, cwd=ROOT)


def target(name: str) -> dict[str, str]:
    return {"runName": "r1", "name": name}


async def waiting_on(client: Client, name: str) -> asyncio.Future[Any]:
    """Start a wait, and return once the sidecar has received it."""
    wait = asyncio.ensure_future(client.request("events.wait", **target(name)))
    await asyncio.sleep(0)
    assert (await client.request("events.get", **target(name)))["pending"]
    return wait


async def test_a_wait_in_one_sidecar_ends_with_a_signal_in_another(store: Path) -> None:
    async with spawn(store) as waits, spawn(store) as signals:
        for number in range(50):
            await signals.request("events.create", **target(f"q{number}"))
            wait = await waiting_on(waits, f"q{number}")
            reported = await signals.request("events.signal", **target(f"q{number}"), payload=True)
            assert await wait == reported


async def test_every_sidecar_reports_the_winners_value_to_the_losers_of_a_race(store: Path) -> None:
    async with spawn(store) as one, spawn(store) as other:
        await one.request("events.create", **target("q"), expectedType="int")
        results = await asyncio.gather(
            *(
                client.request("events.signal", **target("q"), payload=value)
                for value, client in enumerate((one, other))
            ),
            return_exceptions=True,
        )
        won = [result for result in results if isinstance(result, dict)]
        lost = [result for result in results if isinstance(result, SidecarError)]
        assert len(won) == len(lost) == 1
        assert lost[0].kind == "already_signalled"
        assert lost[0].data["event"] == won[0]


async def test_an_event_expires_in_a_sidecar_that_did_not_create_it(store: Path) -> None:
    async with spawn(store) as makes, spawn(store) as waits:
        event = await makes.request("events.create", **target("q"), expiresInSeconds=0.2)
        reported = await waits.request("events.wait", **target("q"), timeoutSeconds=TEST_TIMEOUT)
        assert (reported["phase"], reported["endedAt"]) == ("TIMED_OUT", event["expiresAt"])
        with pytest.raises(SidecarError) as refused:
            await makes.request("events.signal", **target("q"), payload=True)
        assert refused.value.kind == "already_completed"


async def test_paging_through_100_000_events_adds_less_than_10_mb(
    worker: Worker, store: Path
) -> None:
    filling = worker("fill", store, EVENTS)
    assert await asyncio.to_thread(filling.stdout.readline) == "filled\n"
    async with spawn(store) as client:
        process = psutil.Process(client.process.pid)
        await client.request("events.list", runName="r1", limit=100)
        before = peak = process.memory_info().rss
        found, cursor, last = 0, None, ""
        while True:
            page = await client.request("events.list", runName="r1", limit=1000, cursor=cursor)
            found += len(page["events"])
            peak = max(peak, process.memory_info().rss)
            cursor = page["nextCursor"]
            if cursor is None:
                break
            assert last != (last := page["events"][-1]["actionName"])
        print(f"{(peak - before) / MEGABYTE:.1f} MB more")  # noqa: T201
        assert found == EVENTS
        assert peak - before < 10 * MEGABYTE


@pytest.mark.parametrize("limit", [1620, 2000, 2400, 4000])
async def test_a_page_of_several_events_stays_below_the_message_limit(
    store: Path, limit: int
) -> None:
    async with spawn(store) as client:
        for number in range(20):
            await client.request("events.create", **target(f"q{number}"))
    sizes: list[int] = []
    async with spawn(store, "--max-message-bytes", str(limit)) as client:
        client.on_message = lambda message, sent: sizes.append(0 if sent else len(message))
        cursor, found = None, []
        while True:
            page = await client.request("events.list", runName="r1", cursor=cursor)
            found += page["events"]
            assert len(page["events"]) == 1 or sizes[-1] <= limit
            cursor = page["nextCursor"]
            if cursor is None:
                break
    assert [event["name"] for event in found] == [f"q{number}" for number in range(20)]


async def test_a_store_damaged_in_use_is_unavailable_and_no_internal_error(store: Path) -> None:
    async with spawn(store) as client:
        await client.request("events.create", **target("q"))
        os.truncate(store, 0)
        for method in ("events.get", "events.wait", "events.abort"):
            with pytest.raises(SidecarError) as refused:
                await client.request(method, **target("q"))
            assert refused.value.kind == "store_unavailable"
        status = await client.request("sidecar.status")
        assert status["backend"]["healthy"] is False
