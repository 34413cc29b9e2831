"""Listings over a slow network: however long they take, they make no further calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.backends.flyte.scenarios import ask, prove
from tests.backends.flyte.slow_network import delayed
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import BackendClient

ONE_WAY = 0.25
"""Seconds; the five pages of a thousand actions, one after another, take ten times as long."""

DEFAULT_LIMIT = 100


@asynccontextmanager
async def far_away(flyte: FlyteHarness) -> AsyncIterator[BackendClient]:
    """Connect a client over a slow network."""
    async with delayed(flyte.server.endpoint, ONE_WAY) as endpoint:
        flyte.connect_through(endpoint)
        client = BackendClient(flyte)
        yield client
        await client.close()


@pytest.mark.parametrize("limit", [DEFAULT_LIMIT, 1000, 7])
async def test_all_pages_of_a_slow_listing_take_one_listing_and_one_snapshot(
    flyte: FlyteHarness, limit: int
) -> None:
    prove(flyte)
    for place in range(999):
        ask(flyte, f"q{place}")
    async with far_away(flyte) as client:
        found = await client.listing(details=False, limit=limit)
    assert [event.name for event in found] == ["first", *(f"q{place}" for place in range(999))]
    assert {event.pending for event in found[1:]} == {True}
    assert flyte.server.calls == Counter(ListActions=5, WatchActions=1)


async def test_all_pages_of_a_slow_listing_check_each_doubtful_event_once(
    flyte: FlyteHarness,
) -> None:
    for place in range(1000):
        ask(flyte, f"q{place}")
    async with far_away(flyte) as client:
        for checks in (1000, 0):
            flyte.server.calls.clear()
            assert len(await client.listing(details=False, limit=DEFAULT_LIMIT)) == 1000
            assert flyte.server.calls == Counter(ListActions=5, GetActionDetails=checks)
