"""Endless listings and streams: each is an error of the backend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count, repeat

import pytest
from flyteidl2.workflow.run_service_pb2 import (
    ListActionsResponse,
    ListRunsResponse,
    WatchActionsResponse,
)

from flyte_sidecar.backends.flyte.rpc import limits
from flyte_sidecar.errors import BackendError
from tests.backends.flyte.scenarios import EVERY, ask
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import BackendClient
from tests.fake_runservice.hostile import Response, endless, respond


def actions(token: str, *names: str) -> Response:
    page = ListActionsResponse(token=token)
    for name in names:
        page.actions.add().id.name = name
    return respond(page.SerializeToString())


def runs(token: str, *names: str, seconds: int = 0) -> Response:
    page = ListRunsResponse(token=token)
    for name in names:
        run = page.runs.add()
        run.action.id.run.name = name
        run.action.status.start_time.seconds = 1_700_000_000 - seconds
    return respond(page.SerializeToString())


def watched(number: int) -> bytes:
    message = WatchActionsResponse()
    for place in range(100):
        message.enriched_actions.add().action.id.name = f"a{number}-{place}"
    return message.SerializeToString()


Pages = Callable[[], Iterator[Response]]
ENDLESS_ACTIONS: dict[str, tuple[Pages, str]] = {
    "the same token": (lambda: repeat(actions("200")), "repeated a page token"),
    "the same page": (lambda: repeat(actions("200", "a1", "a2")), "repeated a page token"),
    "alternating tokens": (lambda: (actions(f"{n % 2}") for n in count()), "repeated a page token"),
    "new tokens": (lambda: (actions(f"{n}") for n in count()), "more than 50 pages"),
    "new actions": (lambda: (actions(f"{n}", f"a{n}") for n in count()), "more than 50 pages"),
    "large pages": (lambda: (actions(f"{n}", f"a{n}" + "x" * 999) for n in count()), "larger than"),
}
ENDLESS_RUNS: dict[str, tuple[Pages, str]] = {
    "the same token": (lambda: repeat(runs("200")), "repeated a page token"),
    "the same page": (lambda: repeat(runs("200", "r1")), "repeated a page token"),
    "new tokens": (lambda: (runs(f"{n}") for n in count()), "more than 50 pages"),
    "new runs": (lambda: (runs("200", f"r{n}", seconds=n) for n in count()), "more than 50 pages"),
    "one instant": (lambda: (runs(f"{n}", f"r{n}") for n in count()), "more than 50 pages"),
}


def every_one(endless_pages: dict[str, tuple[Pages, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("pages", "reason"), endless_pages.values(), ids=endless_pages)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PAGES", 50)
    monkeypatch.setattr(limits, "MAX_LISTING_BYTES", 20_000)
    monkeypatch.setattr(limits, "MAX_NAMES_BYTES", 100_000)


@EVERY
@every_one(ENDLESS_ACTIONS)
async def test_an_endless_listing_of_actions_is_an_error(
    client: BackendClient, flyte: FlyteHarness, pages: Pages, reason: str
) -> None:
    for read in (client.get, lambda _: client.listing()):
        flyte.server.hostile.script("ListActions", pages())
        with pytest.raises(BackendError, match=f"listing of run .* {reason}") as failed:
            await read("q")
        assert not failed.value.retryable


@every_one(ENDLESS_RUNS)
async def test_an_endless_listing_of_runs_is_an_error(
    client: BackendClient, flyte: FlyteHarness, pages: Pages, reason: str
) -> None:
    for read in (client.pending_page, lambda: client.runs_page(limit=1000)):
        flyte.server.hostile.script("ListRuns", pages())
        with pytest.raises(BackendError, match=f"listing of the runs .* {reason}") as failed:
            await read()
        assert not failed.value.retryable


async def test_a_wait_on_an_endless_stream_of_new_actions_is_an_error(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.hostile.script("WatchActions", repeat(endless(watched)))
    with pytest.raises(BackendError, match="the stream of run") as failed:
        async with asyncio.timeout(TEST_TIMEOUT):
            await client.wait("q")
    assert not failed.value.retryable


async def test_a_stream_that_repeats_its_actions_is_not_limited(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    again = asyncio.Event()
    loop = asyncio.get_running_loop()

    def repeated(number: int) -> bytes:
        if number == 100:
            loop.call_soon_threadsafe(again.set)
        return watched(0)

    flyte.server.hostile.script("WatchActions", [endless(repeated)])
    waiting = asyncio.ensure_future(client.wait("q"))
    await again.wait()
    assert not waiting.done()
    await BackendClient(flyte).signal("q", True)
    assert (await waiting).payload is True
