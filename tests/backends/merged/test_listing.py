"""Pages that merge two listings, against a model; and backends that cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.merged.listing import Read, merge_pages
from flyte_sidecar.backends.merged.patient_reads import PatientReads
from flyte_sidecar.errors import (
    BackendUnavailable,
    CursorExpired,
    InvalidParams,
    StoreUnavailable,
)
from flyte_sidecar.events.model import (
    ANY_SCOPE,
    MAX_PAGE_LIMIT,
    Event,
    EventPage,
    PendingQuery,
    RunInfo,
    RunsQuery,
)
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.results import encode
from tests.backends.merged.conftest import DOWN, FAST, HERE, THERE, MergedHarness
from tests.contract.harness import BackendClient

# The merge, over lists.


def run_info(name: str) -> RunInfo:
    return RunInfo(
        run_name=name,
        org=None,
        project=None,
        domain=None,
        phase=None,
        created_at=None,
        pending_events=0,
    )


class Listed:
    """A backend's listing: entries with ranks in order, of which some no longer match."""

    def __init__(self, ranks: Sequence[int], prefix: str, longest: int) -> None:
        self._longest = longest  # of its pages
        self.ranks = {f"{prefix}{index}": rank for index, rank in enumerate(sorted(ranks))}
        self.names = [*self.ranks]
        self.gone: set[str] = set()
        self.down = False

    def matching(self) -> set[str]:
        return {*self.names} - self.gone

    async def read(self, cursor: str | None, limit: int) -> tuple[Sequence[RunInfo], str | None]:
        if self.down:
            raise DOWN
        start = 0 if cursor is None else int(cursor)
        page: list[str] = []
        for index in range(start, len(self.names)):
            if self.names[index] not in self.gone:
                if len(page) == min(limit, self._longest):
                    return [run_info(name) for name in page], str(index)
                page.append(self.names[index])
        return [run_info(name) for name in page], None


RANKS = st.lists(st.integers(0, 9), max_size=12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("page"), st.integers(1, 5), st.sampled_from([1, 200, 1 << 20])),
        st.tuples(st.just("end"), st.sampled_from("lf"), st.integers(0, 11)),
        st.tuples(st.just("switch"), st.sampled_from("lf")),
    ),
    max_size=30,
)


@given(local=RANKS, flyte=RANKS, longest=st.integers(1, 6), steps=STEPS)
@settings(max_examples=400)
async def test_a_merged_listing_has_every_entry_once_and_in_order(
    local: list[int], flyte: list[int], longest: int, steps: list[tuple[Any, ...]]
) -> None:
    sources = {"l": Listed(local, "l", longest), "f": Listed(flyte, "f", 4)}
    ranks = {**sources["l"].ranks, **sources["f"].ranks}
    reads: dict[str, Read[RunInfo]] = {name: source.read for name, source in sources.items()}
    found: list[str] = []
    cursor: str | None = None
    left_out: set[str] = set()
    begun = ended = was_down = False
    throughout = sources["l"].matching() | sources["f"].matching()
    rest = [("up", "l"), ("up", "f"), *[("page", 5, 1 << 20)] * 60]
    for verb, *arguments in [*steps, *rest]:
        if verb == "end":
            source = sources[arguments[0]]
            source.gone |= {*source.names[arguments[1] : arguments[1] + 1]}
            throughout -= source.gone
        elif verb == "switch":
            source = sources[arguments[0]]
            source.down = not source.down
        elif verb == "up":
            sources[arguments[0]].down = False
        elif not ended:
            limit, max_bytes = arguments
            down = {name for name, source in sources.items() if source.down}
            was_down = was_down or bool(down)
            try:
                page = await merge_pages(
                    reads,
                    PatientReads(60.0, None),
                    listing="x",
                    rank=lambda run: ranks[run.run_name],
                    limit=limit,
                    max_bytes=max_bytes,
                    cursor=cursor,
                )
            except BackendUnavailable:
                assert down
                continue
            names = [run.run_name for run in page.entries]
            assert len(names) <= limit
            assert {each.backend for each in page.unavailable} <= down
            assert not any(name in source.gone for source in sources.values() for name in names)
            size = sum(len(json.encode(run)) + 1 for run in page.entries)
            assert size <= max_bytes or len(names) == 1
            found += names
            cursor, begun = page.next_cursor, True
            if cursor is None:
                ended = True
                left_out = {each.backend for each in page.unavailable}
    assert begun
    assert ended
    assert len(found) == len({*found})
    for name in left_out:  # nothing of it was listed before
        assert not {*found} & {*sources[name].names}
        throughout -= {*sources[name].names}
    assert throughout <= {*found}
    if not was_down:
        assert [ranks[name] for name in found] == sorted(ranks[name] for name in found)


# Over the backends.


async def pending(client: BackendClient, **more: Any) -> EventPage:
    return await client.pending_page(ANY_SCOPE, **more)


async def test_both_backends_are_listed_in_order_of_creation(client: BackendClient) -> None:
    scopes = [HERE, THERE, THERE, HERE, THERE, HERE]
    asked = [await client.ask(scope.run("r"), f"q{n}") for n, scope in enumerate(scopes)]
    assert (await pending(client)).events == asked
    found: list[Event] = []
    cursor = None
    while True:
        page = await pending(client, limit=2, cursor=cursor)
        assert page.unavailable == []
        found += page.events
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == asked


async def test_runs_of_both_backends_are_listed_with_the_newest_first(
    client: BackendClient,
) -> None:
    for number, scope in enumerate([HERE, THERE, HERE]):
        event = await client.ask(scope.run(f"run{number}"), "q")
    await client.answer(event)
    runs = await client.runs(ANY_SCOPE, limit=1)
    assert [(run.run_name, run.project) for run in runs] == [
        ("run2", "local"),
        ("run1", "p"),
        ("run0", "local"),
    ]
    waiting = await client.runs(ANY_SCOPE, limit=1, pending_only=True)
    assert [run.run_name for run in waiting] == ["run1", "run0"]


async def test_a_listing_with_a_scope_is_that_of_one_backend(
    client: BackendClient, both: MergedHarness
) -> None:
    here, there = await client.ask(HERE.run("r"), "q"), await client.ask(THERE.run("r"), "q")
    both.flyte.switch(DOWN)
    assert (await client.pending_page(HERE)).events == [here]
    with pytest.raises(BackendUnavailable):
        await client.pending_page(THERE)
    with pytest.raises(BackendUnavailable):
        await client.runs_page(THERE)
    both.flyte.switch(None)
    assert (await client.pending_page(THERE)).events == [there]
    assert [run.project for run in await client.runs(THERE)] == ["p"]


@pytest.mark.parametrize("lost", ["local", "flyte"])
async def test_what_one_backend_lists_does_not_depend_on_the_other(
    client: BackendClient, both: MergedHarness, lost: str
) -> None:
    await client.ask(HERE.run("r"), "local")
    await client.ask(THERE.run("r"), "flyte")
    error = StoreUnavailable("replaced", reason="io") if lost == "local" else DOWN
    getattr(both, lost).switch(error)
    page, runs = await pending(client), await client.runs_page(ANY_SCOPE)
    assert lost not in [event.name for event in page.events]
    assert len(page.events) == len(runs.runs) == 1
    for each in (page, runs):
        assert each.next_cursor is None
        assert [(one.backend, one.error) for one in each.unavailable] == [(lost, error)]


async def test_an_error_of_a_backend_has_its_wire_form_in_a_page(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.switch(InvalidParams("`project` is required", path="/project"))
    for listed in (await pending(client), await client.runs_page(ANY_SCOPE)):
        assert json.decode(encode(listed))["unavailable"] == [
            {
                "backend": "flyte",
                "error": {
                    "code": -32602,
                    "message": "`project` is required",
                    "data": {"kind": "invalid_params", "retryable": False, "path": "/project"},
                },
            }
        ]


async def test_without_any_backend_a_listing_fails(
    client: BackendClient, both: MergedHarness
) -> None:
    broken = StoreUnavailable("not a store", reason="not_a_store")
    both.local.switch(broken)
    both.flyte.switch(DOWN)
    with pytest.raises(StoreUnavailable) as raised:
        await pending(client)
    assert raised.value is broken


async def test_runs_that_are_created_between_pages_repeat_none() -> None:
    ranks: dict[str, int] = {}
    listed: dict[str, list[str]] = {"l": [], "f": []}

    def create(name: str, count: int) -> None:
        """Add runs in front, as new ones are."""
        for _ in range(count):
            run = f"{name}{len(listed[name])}"
            ranks[run] = -len(ranks)
            listed[name].insert(0, run)

    def reader(runs: list[str]) -> Read[RunInfo]:
        async def read(cursor: str | None, limit: int) -> tuple[Sequence[RunInfo], str | None]:
            start = 0 if cursor is None else runs.index(cursor)
            page, after = runs[start : start + limit], runs[start + limit :]
            return [run_info(name) for name in page], next(iter(after), None)

        return read

    async def page(cursor: str | None) -> tuple[list[str], str | None]:
        found = await merge_pages(
            {name: reader(runs) for name, runs in listed.items()},
            PatientReads(60.0, None),
            listing="runs",
            rank=lambda run: ranks[run.run_name],
            limit=MAX_PAGE_LIMIT,
            max_bytes=1 << 20,
            cursor=cursor,
        )
        return [run.run_name for run in found.entries], found.next_cursor

    for name in ("l", "f"):
        create(name, 600)
    first = [*ranks]
    found, cursor = await page(None)
    for _ in range(3):
        for name in ("l", "f"):
            create(name, 1500)
        more, cursor = await page(cursor)
        found += more
    while cursor is not None:
        more, cursor = await page(cursor)
        found += more
    assert len(found) == len({*found})
    assert {*first} <= {*found}


async def test_pages_of_the_merged_listing_read_few_pages_of_the_backends() -> None:
    ranks = {"l": range(0, 600, 2), "f": range(1, 600, 2)}
    sources = {name: Listed(each, name, 1000) for name, each in ranks.items()}
    rank_of = {**sources["l"].ranks, **sources["f"].ranks}
    calls: list[tuple[str, str | None]] = []

    def reader(name: str) -> Read[RunInfo]:
        async def read(cursor: str | None, limit: int) -> tuple[Sequence[RunInfo], str | None]:
            calls.append((name, cursor))
            assert limit == 20
            return await sources[name].read(cursor, limit)

        return read

    cursor, names, reads = None, [], {name: reader(name) for name in sources}
    while True:
        found = await merge_pages(
            reads,
            PatientReads(60.0, None),
            listing="x",
            rank=lambda run: rank_of[run.run_name],
            limit=20,
            max_bytes=1 << 20,
            cursor=cursor,
        )
        names += [run.run_name for run in found.entries]
        if (cursor := found.next_cursor) is None:
            break
    assert names == sorted(rank_of, key=rank_of.__getitem__)
    assert len(calls) <= 4 * 600 / 20
    assert calls.count(("f", None)) <= 3  # the most expensive page of a deployment


async def test_a_backend_that_is_lost_between_pages_is_listed_from_there_when_it_is_back(
    client: BackendClient, both: MergedHarness
) -> None:
    scopes = [THERE, HERE, THERE, HERE, THERE]
    asked = [await client.ask(scope.run("r"), f"q{n}") for n, scope in enumerate(scopes)]
    first = await pending(client, limit=2)
    both.flyte.switch(DOWN)
    second = await pending(client, limit=2, cursor=first.next_cursor)
    assert [event.name for event in second.events] == ["q3"]
    assert [one.backend for one in second.unavailable] == ["flyte"]
    with pytest.raises(BackendUnavailable):  # nothing else is left, and the cursor stays valid
        await pending(client, cursor=second.next_cursor)
    both.flyte.switch(None)
    third = await pending(client, cursor=second.next_cursor)
    assert third.next_cursor is None
    assert [*first.events, *second.events, *third.events] == [*asked[:2], asked[3], *asked[2::2]]


async def test_a_cursor_that_one_backend_rejects_is_expired(
    client: BackendClient, both: MergedHarness
) -> None:
    for number in range(4):
        await client.ask((HERE, THERE)[number % 2].run("r"), f"q{number}")
    cursor = (await pending(client, limit=1)).next_cursor
    both.flyte.switch(CursorExpired("it is too old"))
    with pytest.raises(CursorExpired):
        await pending(client, cursor=cursor)


@pytest.mark.parametrize("timing", [FAST])
async def test_a_backend_that_does_not_respond_delays_no_listing_for_long(
    client: BackendClient, both: MergedHarness
) -> None:
    event = await client.ask(HERE.run("r"), "q")
    both.flyte.switch(None, hangs=True)
    page = await asyncio.wait_for(pending(client), 60)
    assert page.events == [event]
    assert [each.backend for each in page.unavailable] == ["flyte"]
    assert page.unavailable[0].error.retryable


async def test_a_cursor_of_another_listing_is_expired(
    client: BackendClient, service: EventService
) -> None:
    # After the first page, each cursor is at the start of the deployment's listing.
    for scope in (THERE, HERE):
        await client.ask(scope.run("r"), "q")
    await client.ask(HERE.run("another"), "q")

    async def page(name: str, cursor: str | None) -> Any:
        if name == "pending":
            query = PendingQuery(scope=ANY_SCOPE, limit=1, cursor=cursor)
            return await resolve(service.pending(query))
        only = name == "pending runs"
        runs = RunsQuery(scope=ANY_SCOPE, pending_only=only, limit=1, cursor=cursor)
        return await resolve(service.runs(runs))

    names = ["pending", "runs", "pending runs"]
    cursors = {name: (await page(name, None)).next_cursor for name in names}
    cursors["nested"] = '["pending",{"local":[null,[],false,' + "[" * 200_000
    cursors["local"] = (await client.pending_page(HERE, limit=1)).next_cursor
    assert None not in cursors.values()
    for name in names:
        for other, cursor in [*cursors.items(), ("", ""), ("", f"{cursors[name]}x"), ("", "[]")]:
            if other != name:
                with pytest.raises(CursorExpired):
                    await page(name, cursor)
