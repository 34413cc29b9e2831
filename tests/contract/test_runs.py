"""Runs and the number of their pending events, and pages of pending events."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar.errors import CursorExpired
from flyte_sidecar.events.model import Event, RunInfo, Scope
from flyte_sidecar.protocol.results import encode
from tests.contract.harness import RUN, SCOPE, BackendClient
from tests.contract.test_inbox import ELSEWHERE, filled, run

# Runs.


async def test_runs_are_listed_with_the_number_of_their_pending_events(
    client: BackendClient,
) -> None:
    assert await client.runs() == []
    events = await filled(client, 3, 3)
    await client.answer(events[0])
    await client.answer(events[1])
    for event in events[6:]:
        await client.answer(event)
    assert await counts(client) == {"run0": 1, "run1": 3, "run2": 0}
    assert await counts(client, pending_only=True) == {"run0": 1, "run1": 3}
    (found,) = [run for run in await client.runs() if run.run_name == "run0"]
    assert (found.org, found.project, found.domain) == (None, "local", "local")
    assert found.created_at is not None
    assert await client.runs(ELSEWHERE) == []


async def counts(client: BackendClient, scope: Scope = SCOPE, **more: Any) -> dict[str, int]:
    """Return the runs' counts, after checking that the last created comes first."""
    found = await client.runs(scope, **more)
    made = [run.created_at for run in found if run.created_at is not None]
    assert made == sorted(made, reverse=True)
    assert len({run.run_name for run in found}) == len(found) == len(made)
    return {run.run_name: run.pending_events for run in found}


async def test_an_event_that_expires_is_no_longer_counted(client: BackendClient) -> None:
    await client.ask(run(1), "q", expires_in=60)
    await client.ask(run(2), "stays")
    assert await counts(client) == {"run1": 1, "run2": 1}
    client.harness.pass_time(61)
    assert await counts(client) == {"run1": 0, "run2": 1}
    assert await counts(client, pending_only=True) == {"run2": 1}


async def test_the_events_of_a_very_large_run_are_counted_correctly(client: BackendClient) -> None:
    events = await filled(client, 1, 250)
    assert await counts(client) == {"run0": 250}
    for event in events[:30]:
        await client.answer(event)
    assert await counts(client) == {"run0": 220}


async def test_a_listing_excludes_runs_of_other_scopes(client: BackendClient) -> None:
    await client.ask(run(1), "here")
    await client.ask(run(1, ELSEWHERE), "there")
    await client.ask(run(2, ELSEWHERE), "there too")
    assert await counts(client) == {"run1": 1}
    assert await counts(client, ELSEWHERE) == {"run1": 1, "run2": 1}


@pytest.mark.parametrize("pending_only", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 1000])
async def test_pages_of_runs_hold_every_run_once(
    client: BackendClient, limit: int, pending_only: bool
) -> None:
    events = await filled(client, 7, 1)
    await client.answer(events[3])
    found: list[str] = []
    cursor = None
    while True:
        page = await client.runs_page(limit=limit, pending_only=pending_only, cursor=cursor)
        assert len(page.runs) <= limit
        found += [run.run_name for run in page.runs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(found) == [f"run{n}" for n in range(7) if n != 3 or not pending_only]


# Cursors.


async def test_a_cursor_of_another_listing_is_expired(client: BackendClient) -> None:
    await filled(client, 3, 3)
    for index in range(3):
        await client.make(f"q{index}")
    of_events = (await client.page(RUN, limit=1)).next_cursor
    of_pending = (await client.pending_page(limit=1)).next_cursor
    of_runs = (await client.runs_page(limit=1)).next_cursor
    of_pending_runs = (await client.runs_page(limit=1, pending_only=True)).next_cursor
    cursors = [of_events, of_pending, of_runs, of_pending_runs]
    assert None not in cursors
    for cursor in (of_pending, of_runs, of_pending_runs):
        with pytest.raises(CursorExpired):
            await client.page(cursor=cursor)
    for cursor in (of_events, of_runs, of_pending_runs, "", "x", f"{of_pending}x"):
        with pytest.raises(CursorExpired):
            await client.pending_page(cursor=cursor)
    nested = '["x","2000-01-01T00:00:00Z",[],' + "[" * 200_000
    for cursor in (of_events, of_pending, of_pending_runs, "", "x", f"{of_runs}x", nested):
        with pytest.raises(CursorExpired):
            await client.runs_page(cursor=cursor)
    with pytest.raises(CursorExpired):
        await client.runs_page(cursor=of_runs, pending_only=True)
    with pytest.raises(CursorExpired):
        await client.pending_page(ELSEWHERE, cursor=of_pending)
    with pytest.raises(CursorExpired):
        await client.runs_page(ELSEWHERE, cursor=of_runs)
    assert (await client.pending_page(cursor=of_pending, limit=1)).events
    assert (await client.runs_page(cursor=of_runs, limit=1)).runs


# Changes between the pages.

projects = itertools.count()

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 4)),
        st.tuples(st.just("end"), st.integers(0, 30)),
        st.tuples(st.just("page"), st.integers(1, 3)),
    ),
    max_size=40,
)


class RandomEvents:
    """The events of a separate scope, and which of them matched a listing throughout."""

    def __init__(self, client: BackendClient) -> None:
        self.client = client
        self.scope = Scope(None, f"project{next(projects)}", "local")
        self.pending: dict[str, Event] = {}
        self._asked = 0

    async def ask(self, number: int) -> None:
        name = f"q{self._asked}"
        self._asked += 1
        self.pending[name] = await self.client.ask(run(number, self.scope), name)

    async def end(self, number: int) -> None:
        if self.pending:
            name = list(self.pending)[number % len(self.pending)]
            await self.client.answer(self.pending.pop(name))

    def waiting(self) -> set[str]:
        """Return the names of the runs with pending events."""
        return {event.run_name for event in self.pending.values()}


async def pages_of_pending(events: RandomEvents, cursor: str | None, limit: int) -> Any:
    page = await events.client.pending_page(events.scope, limit=limit, cursor=cursor)
    return [event.name for event in page.events], page.next_cursor


async def pages_of_runs(events: RandomEvents, cursor: str | None, limit: int) -> Any:
    page = await events.client.runs_page(
        events.scope, limit=limit, cursor=cursor, pending_only=True
    )
    return [_counted(run) for run in page.runs], page.next_cursor


def _counted(info: RunInfo) -> str:
    assert info.pending_events > 0
    return info.run_name


@pytest.mark.parametrize("what", ["pending", "runs"])
@given(steps=STEPS)
@settings(max_examples=40)
async def test_a_listing_never_skips_or_repeats_whatever_happens_between_its_pages(
    client: BackendClient, what: str, steps: list[tuple[str, int]]
) -> None:
    events = RandomEvents(client)
    read = pages_of_pending if what == "pending" else pages_of_runs

    def fitting() -> set[str]:
        return set(events.pending) if what == "pending" else events.waiting()

    reported: list[str] = []
    throughout: set[str] | None = None
    cursor = None
    for verb, number in [*steps, *[("page", 3)] * (len(steps) + 1)]:
        if verb != "page":
            await getattr(events, verb)(number)
        elif throughout is None or cursor is not None:
            page, cursor = await read(events, cursor, number)
            throughout = fitting() if throughout is None else throughout
            reported += page
            assert set(page) <= fitting()
        if throughout is not None:
            throughout &= fitting()
    assert cursor is None
    assert len(reported) == len(set(reported))
    assert throughout is not None
    assert throughout <= set(reported)


async def test_listing_while_others_write_returns_everything_once(client: BackendClient) -> None:
    events = await filled(client, 30, 5)

    async def disturb() -> None:
        for index, event in enumerate(events):
            if event.name.endswith((".0", ".1")):
                await client.answer(event)
            await client.ask(run(100 + index), "new")

    async def slowly(read: Any, events: RandomEvents) -> AsyncIterator[str]:
        cursor = None
        while True:
            found, cursor = await read(events, cursor, 3)
            for entry in found:
                yield entry
            if cursor is None:
                return
            await asyncio.sleep(0)

    listed = RandomEvents(client)
    listed.scope = SCOPE
    disturbing = asyncio.ensure_future(disturb())
    pending = [name async for name in slowly(pages_of_pending, listed)]
    runs = [name async for name in slowly(pages_of_runs, listed)]
    await disturbing
    stayed = {event.name for event in events if not event.name.endswith((".0", ".1"))}
    old = [name for name in pending if name != "new"]
    assert stayed <= set(old)
    assert len(old) == len(set(old))
    assert {f"run{number}" for number in range(30)} <= set(runs)
    assert len(runs) == len(set(runs))


async def test_a_page_of_runs_ends_early_rather_than_exceed_max_bytes(
    client: BackendClient,
) -> None:
    for index in range(4):
        await client.ask(SCOPE.run(f"run{index}-" + "x" * 900), "q")
    one = len(encode((await client.runs_page(limit=1)).runs[0]))
    page = await client.runs_page(max_bytes=2 * one + one // 2)
    assert len(page.runs) == 2
    assert len(encode(page)) < 3 * one
    assert len(await client.runs(max_bytes=one // 2)) == 4
