"""Listings: complete and in order, whatever happens between their pages."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar.errors import CursorExpired
from flyte_sidecar.events.model import ABORTED, PAUSED, SUCCEEDED, Run
from flyte_sidecar.protocol.results import encode
from tests.contract.harness import RUN, BackendClient


async def filled(client: BackendClient, count: int, **how: Any) -> list[str]:
    """Create events q0, q1, ... and return their ids."""
    return [(await client.make(f"q{index}", **how)).action_name for index in range(count)]


async def test_an_unknown_run_lists_nothing(client: BackendClient) -> None:
    page = await client.page(Run(None, "local", "local", "nope"))
    assert (page.events, page.next_cursor) == ([], None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
async def test_pages_hold_every_event_once_in_creation_order(
    client: BackendClient, limit: int
) -> None:
    ids = await filled(client, 7)
    found: list[str] = []
    cursor = None
    while True:
        page = await client.page(limit=limit, cursor=cursor)
        assert len(page.events) <= limit
        found += [event.action_name for event in page.events]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == ids


async def test_a_listing_holds_only_events_under_its_parent(client: BackendClient) -> None:
    for index in range(6):
        await client.make(f"q{index}", parent=f"a{index % 2}")
    found = await client.listing(parent="a1", limit=1)
    assert [event.name for event in found] == ["q1", "q3", "q5"]
    assert await client.listing(parent="a9") == []


async def test_a_listing_holds_only_events_in_its_phases(client: BackendClient) -> None:
    await filled(client, 5)
    await client.signal("q1", True)
    await client.abort("q3")

    async def names(*phases: str, **more: Any) -> list[str]:
        return [event.name for event in await client.listing(phases=phases, limit=1, **more)]

    assert await names(PAUSED) == ["q0", "q2", "q4"]
    assert await names(SUCCEEDED) == ["q1"]
    assert await names(SUCCEEDED, ABORTED) == ["q1", "q3"]
    assert await names(ABORTED, PAUSED, PAUSED) == ["q0", "q2", "q3", "q4"]
    assert await names(PAUSED, parent="a0") == ["q0", "q2", "q4"]
    assert await names(PAUSED, parent="a1") == []
    assert await names("UNKNOWN_77", "'", "") == []
    assert await names(*map(str, range(50_000))) == []


async def test_a_page_ends_early_rather_than_exceed_max_bytes(client: BackendClient) -> None:
    for index in range(4):
        await client.make(f"q{index}", "str")
        await client.signal(f"q{index}", "é\0" * 10_000)
    one = len(encode((await client.page(limit=1)).events[0]))
    page = await client.page(max_bytes=2 * one + one // 2)
    assert [event.name for event in page.events] == ["q0", "q1"]
    assert len(encode(page)) < 3 * one
    everything = await client.listing(max_bytes=2 * one + one // 2)
    assert [event.name for event in everything] == ["q0", "q1", "q2", "q3"]


async def test_an_event_over_the_limit_is_a_page_of_its_own(client: BackendClient) -> None:
    await filled(client, 3, expected_type="str")
    await client.signal("q1", "x" * 3_000_000)
    sizes = []
    cursor = None
    while True:
        page = await client.page(max_bytes=100_000, cursor=cursor)
        sizes.append([event.name for event in page.events])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sizes == [["q0"], ["q1"], ["q2"]]


async def test_a_cursor_of_another_listing_is_expired(client: BackendClient) -> None:
    await filled(client, 3)
    cursor = (await client.page(limit=1)).next_cursor
    assert cursor is not None
    others: list[dict[str, Any]] = [
        {"parent": "a0"},
        {"phases": [PAUSED]},
        {"phases": []},
        {"run": Run(None, "local", "local", "r2")},
        {"run": Run("o", "local", "local", "r1")},
    ]
    for other in others:
        with pytest.raises(CursorExpired):
            await client.page(cursor=cursor, **other)
    assert [event.name for event in (await client.page(cursor=cursor)).events] == ["q1", "q2"]


async def test_phases_name_one_listing_in_whatever_order(client: BackendClient) -> None:
    await filled(client, 3)
    cursor = (await client.page(limit=1, phases=[PAUSED, ABORTED])).next_cursor
    page = await client.page(phases=[ABORTED, PAUSED, ABORTED], cursor=cursor)
    assert [event.name for event in page.events] == ["q1", "q2"]


async def test_an_invalid_cursor_is_expired(client: BackendClient) -> None:
    await filled(client, 2)
    cursor = (await client.page(limit=1)).next_cursor
    assert cursor is not None
    for wrong in ("", "x", ".", "..", "1", cursor + "0" * 30, cursor + "x", cursor[1:], "\ud800"):
        with pytest.raises(CursorExpired):
            await client.page(cursor=wrong)


runs = itertools.count()

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.integers(1, 3)),
        st.tuples(st.just("signal"), st.integers(0, 30)),
        st.tuples(st.just("abort"), st.integers(0, 30)),
        st.tuples(st.just("page"), st.integers(1, 4)),
    ),
    max_size=40,
)


@given(
    steps=STEPS, phases=st.sampled_from([None, (PAUSED,), (SUCCEEDED, ABORTED), (PAUSED, ABORTED)])
)
@settings(max_examples=60)
async def test_a_listing_never_skips_or_repeats_whatever_happens_between_its_pages(
    client: BackendClient, steps: list[tuple[str, int]], phases: tuple[str, ...] | None
) -> None:
    parent = f"p{next(runs)}"  # a separate listing in the same run
    made: list[str] = []
    fits_throughout: set[str] = set()
    reported: list[str] = []

    def fits(phase: str) -> bool:
        return phases is None or phase in phases

    async def end(index: int, phase: str) -> None:
        if not made:
            return
        name = made[index % len(made)]
        event = await client.get(name, parent=parent)
        if event is not None and event.pending:
            act = client.signal(name, True, parent=parent) if phase == SUCCEEDED else None
            await (act or client.abort(name, parent=parent))
            if not fits(phase):
                fits_throughout.discard(name)

    cursor = None
    begun = False
    for what, number in [*steps, *[("page", 4)] * (len(steps) * 3)]:
        if what == "make":
            for _ in range(number):
                name = f"q{len(made)}"
                await client.make(name, parent=parent)
                made.append(name)
                if not begun and fits(PAUSED):
                    fits_throughout.add(name)
        elif what == "page":
            if begun and cursor is None:
                break
            page = await client.page(parent=parent, phases=phases, limit=number, cursor=cursor)
            begun = True
            reported.extend(event.name for event in page.events)
            assert all(fits(event.phase) for event in page.events)
            cursor = page.next_cursor
        else:
            phase = SUCCEEDED if what == "signal" else ABORTED
            await end(number, phase)
    if begun:
        assert cursor is None
        assert len(reported) == len(set(reported))
        assert fits_throughout <= set(reported)
        assert reported == sorted(reported, key=made.index)


async def test_paging_while_others_write_returns_every_event_once(client: BackendClient) -> None:
    ids = await filled(client, 300)

    async def disturb() -> None:
        for index in range(300):
            await client.signal(f"q{index}", True)
            await client.make(f"more{index}")

    disturbing = asyncio.ensure_future(disturb())
    found: list[str] = []
    cursor = None
    while True:
        page = await client.page(RUN, limit=7, cursor=cursor)
        found += [event.action_name for event in page.events]
        cursor = page.next_cursor
        if cursor is None:
            break
        await asyncio.sleep(0)
    await disturbing
    assert found[:300] == ids
    assert len(found) == len(set(found))
