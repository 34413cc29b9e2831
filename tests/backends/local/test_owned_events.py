"""Events that a process owns: their ids, names and ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.errors import AlreadyCompleted, AmbiguousEvent, EventExists
from flyte_sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    NewEvent,
    Query,
    Run,
    Target,
)
from tests.backends.local.conftest import Stores, make, signal
from tests.backends.local.watching import Feeds
from tests.backends.local.worker_process import RUN
from tests.conftest import TEST_TIMEOUT

OTHER_RUN = Run(None, "local", "local", "r2")


async def own(
    backend: LocalBackend, action: str = "a0-cond-q-1", run: Run = RUN, **more: Any
) -> Event:
    return await backend.create_owned(NewEvent(run=run, name="q", parent="a0", **more), action)


async def test_an_owned_event_is_pending_and_has_the_id_that_it_is_created_with(
    opened: Stores, store: Path
) -> None:
    event = await own(opened(store), prompt="Go?", expected_type="str")
    assert (event.action_name, event.phase, event.pending) == ("a0-cond-q-1", PAUSED, True)
    assert (event.run, event.parent, event.name) == (RUN, "a0", "q")
    assert (event.prompt, event.expected_type) == ("Go?", "str")
    assert await resolve(opened(store).find(Target(RUN, action_name="a0-cond-q-1"))) == event


async def test_owned_events_of_one_parent_may_share_a_name_but_not_an_id(
    opened: Stores, store: Path
) -> None:
    backend, other = opened(store), opened(store)
    events = [await own(each) for each in (backend, other, backend)]
    elsewhere = await own(backend, run=OTHER_RUN)
    names = [event.action_name for event in events]
    assert names == ["a0-cond-q-1", "a0-cond-q-1-2", "a0-cond-q-1-3"]
    assert elsewhere.action_name == "a0-cond-q-1"
    with pytest.raises(AmbiguousEvent) as several:
        await signal(other, True)
    assert several.value.data["candidates"] == events
    for number, event in enumerate(events):
        answered = await other.signal(event, number == 1)
        assert (answered.action_name, answered.payload) == (event.action_name, number == 1)
    assert elsewhere == await resolve(other.find(Target(OTHER_RUN, name="q")))


async def test_names_of_created_events_stay_unique(opened: Stores, store: Path) -> None:
    backend = opened(store)
    owned = await own(backend)
    with pytest.raises(EventExists) as refused:
        await make(backend)
    assert refused.value.data["event"] == owned
    created = await make(backend, "another")
    assert (await own(backend, created.action_name)).action_name == f"{created.action_name}-2"


async def test_ids_stay_unique_when_processes_create_them_at_once(
    opened: Stores, store: Path
) -> None:
    backends = [opened(store) for _ in range(4)]
    events = await asyncio.gather(*(own(each) for each in backends * 10))
    expected = {"a0-cond-q-1", *(f"a0-cond-q-1-{number}" for number in range(2, 41))}
    assert {event.action_name for event in events} == expected
    page = await resolve(backends[0].page(Query(run=RUN, limit=100)))
    assert {event.action_name for event in page.events} == expected


async def test_a_wait_ends_with_the_event_of_its_own_run(opened: Stores, store: Path) -> None:
    backend, other = opened(store), opened(store)
    first, second = await own(backend), await own(backend, run=OTHER_RUN)
    waits = [asyncio.ensure_future(backend.resolved(event)) for event in (first, second)]
    answered = await other.signal(second, False)
    assert await asyncio.wait_for(waits[1], TEST_TIMEOUT) == answered
    assert not waits[0].done()
    answered = await other.signal(first, True)
    assert await asyncio.wait_for(waits[0], TEST_TIMEOUT) == answered


async def test_timing_out_ends_an_event_at_the_time_that_was_reported(
    opened: Stores, watched: Feeds, store: Path
) -> None:
    backend = opened(store)
    event = await own(backend, expires_in=3600)
    watching = watched(opened(store), None)
    await watching.synced()
    ended = await backend.time_out(event)
    assert (ended.phase, ended.pending, ended.payload) == (TIMED_OUT, False, None)
    assert event.created_at is not None
    assert ended.ended_at == event.expires_at == event.created_at + timedelta(hours=1)
    assert await backend.time_out(event) == ended
    assert await resolve(opened(store).find(Target(RUN, name="q"))) == ended
    with pytest.raises(AlreadyCompleted):
        await opened(store).signal(event, True)
    await watching.until(lambda picture: not picture.pending())


async def test_an_event_without_a_timeout_is_timed_out_now(opened: Stores, store: Path) -> None:
    event = await own(opened(store))
    ended = await opened(store).time_out(event)
    assert (ended.phase, ended.expires_at) == (TIMED_OUT, None)
    assert ended.ended_at is not None
    assert event.created_at is not None
    assert event.created_at <= ended.ended_at <= datetime.now(UTC)


@pytest.mark.parametrize("answer", ["signal", "abort"])
async def test_timing_out_keeps_an_earlier_end(opened: Stores, store: Path, answer: str) -> None:
    backend, other = opened(store), opened(store)
    event = await own(backend, expires_in=3600)
    earlier = await (other.signal(event, True) if answer == "signal" else other.abort(event, "no"))
    assert await backend.time_out(event) == earlier
    assert (earlier.phase, earlier.payload, earlier.abort_reason) == (
        (SUCCEEDED, True, None) if answer == "signal" else (ABORTED, None, "no")
    )
