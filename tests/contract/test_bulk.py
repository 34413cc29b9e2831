"""Writes to several events at once."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flyte_sidecar.errors import (
    AlreadySignalled,
    EventNotFound,
    PayloadTypeMismatch,
    RequestCancelled,
    SidecarError,
)
from flyte_sidecar.events import bulk as bulk_module
from flyte_sidecar.events.bulk import BulkWrite, EventResult, EventResults
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, Event, Run, Target
from tests.contract.harness import RUN, BackendClient, settle
from tests.contract.held import Held, until

runs = itertools.count()
CANCELLED = RequestCancelled("the client cancelled the request")


def bulk_of(client: BackendClient, *events: Event | Target, **more: Any) -> BulkWrite:
    targets = [event if isinstance(event, Target) else id_of(event) for event in events]
    return BulkWrite(client.service, targets, **more)


def id_of(event: Event) -> Target:
    return Target(event.run, action_name=event.action_name)


def missing(client: BackendClient) -> Target:
    return Target(RUN, action_name="a" * 17)


def kinds(results: EventResults) -> list[str]:
    """Return the phase of each event, or the kind of its error."""
    return [kind_of(result) for result in results.results]


def kind_of(result: EventResult) -> str:
    if result.error is None:
        assert result.event is not None
        return result.event.phase
    assert result.event is None
    return result.error.kind


def outcomes(results: EventResults) -> list[Any]:
    return [
        "done" if result.error is None else result.error.data.get("outcome")
        for result in results.results
    ]


async def test_several_events_are_answered_and_each_has_its_own_result(
    client: BackendClient,
) -> None:
    approved = await client.make("approved")
    number = await client.make("number", "int")
    answered = await client.make("answered")
    elsewhere = await client.ask(replace(RUN, name="r2"), "elsewhere")
    await client.answer(answered, False)
    bulk = bulk_of(client, approved, number, missing(client), answered, elsewhere)
    results = await bulk.signal(True)
    assert kinds(results) == [
        SUCCEEDED,
        PayloadTypeMismatch.kind,
        EventNotFound.kind,
        AlreadySignalled.kind,
        SUCCEEDED,
    ]
    first, mismatch, _, already, last = results.results
    assert first.event is not None
    assert last.event is not None
    assert mismatch.error is not None
    assert already.error is not None
    assert [event.action_name for event in (first.event, last.event)] == [
        approved.action_name,
        elsewhere.action_name,
    ]
    assert first.event.payload is True
    assert mismatch.error.data == {"expectedType": "int"}
    assert already.error.data["event"].payload is False
    assert (await client.get("number")) == number


async def test_several_events_are_aborted_and_each_has_its_own_result(
    client: BackendClient,
) -> None:
    aborted = await client.make("aborted")
    before = await client.make("before")
    answered = await client.make("answered", "int")
    await client.abort("before", "the first reason")
    await client.answer(answered, 3)
    results = await bulk_of(client, aborted, before, answered, missing(client)).abort("too late")
    assert kinds(results) == [ABORTED, ABORTED, AlreadySignalled.kind, EventNotFound.kind]
    reasons = [result.event and result.event.abort_reason for result in results.results[:2]]
    assert reasons == ["too late", "the first reason"]


async def test_an_event_that_occurs_twice_is_written_once(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, other = await client.make("q"), await client.make("other")
    held = Held(client, monkeypatch)
    held.go.set()
    results = await bulk_of(client, event, other, event, event).signal(True)
    assert kinds(results) == [SUCCEEDED] * 4
    assert results.results[0] == results.results[2] == results.results[3]
    assert held.begun == 2


async def test_requests_that_follow_see_the_effect_and_earlier_ones_come_first(
    client: BackendClient,
) -> None:
    one, two = await client.make("one"), await client.make("two")
    first = client.service.write(Target(RUN, name="one"))
    earlier = asyncio.ensure_future(client.service.signal(first, False))
    written = asyncio.ensure_future(bulk_of(client, one, two).signal(True))
    reading = asyncio.ensure_future(client.get("two"))
    later = asyncio.ensure_future(client.abort("two"))
    await asyncio.wait({earlier, written, reading, later})
    assert kinds(written.result()) == [AlreadySignalled.kind, SUCCEEDED]
    seen = reading.result()
    assert seen is not None
    assert seen.payload is True
    assert isinstance(later.exception(), AlreadySignalled)
    assert client.service._order._runs == {}


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["bool", "int", "missing"]),
        st.sampled_from([None, True, False, 1, "abort"]),
    ),
    min_size=1,
    max_size=5,
)


@given(EVENTS, st.lists(st.integers(0, 4), min_size=1, max_size=7), st.sampled_from([True, 1, "x"]))
@settings(max_examples=15)
async def test_the_results_are_those_of_one_request_for_each_event(
    client: BackendClient, wanted: list[tuple[Any, Any]], chosen: list[int], payload: Any
) -> None:
    pair = [Run(None, "local", "local", f"bulk{next(runs)}") for _ in range(2)]
    targets: list[list[Target]] = []
    for run in pair:
        made = []
        for number, (kind, before) in enumerate(wanted):
            if kind == "missing":
                made.append(Target(run, action_name="a" * 17))
                continue
            event = await client.ask(run, f"q{number}", expected_type=kind)
            made.append(id_of(event))
            if before == "abort":
                await client.service.abort(client.service.write(made[-1]), None)
            elif before is not None:
                with suppress(PayloadTypeMismatch):
                    await client.service.signal(client.service.write(made[-1]), before)
        targets.append(made)
    chosen = [index % len(wanted) for index in chosen]
    singly = []
    for index in chosen:
        try:
            event = await client.service.signal(client.service.write(targets[0][index]), payload)
            singly.append(event.phase)
        except SidecarError as error:
            singly.append(error.kind)
    bulk = BulkWrite(client.service, [targets[1][index] for index in chosen])
    assert kinds(await bulk.signal(payload)) == singly


async def test_an_interrupted_request_reports_what_happened_to_each_event(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyte_sidecar.events.write_order.CANCELLED_WRITE_TIMEOUT", 0.01)
    monkeypatch.setattr(bulk_module, "MAX_CONCURRENT_WRITES", {"local": 1, "flyte": 1})
    events = [await client.make(f"q{number}") for number in range(3)]
    held = Held(client, monkeypatch, results=True)
    held.go.set()
    seen: list[Target] = []

    def hold(target: Target, _: EventResult) -> None:
        seen.append(target)
        held.go.clear()

    bulk = bulk_of(client, *events, on_result=hold)
    writing = asyncio.ensure_future(bulk.signal(True))
    await until(lambda: held.begun == 2)
    assert bulk.describe()["outcome"] == "unknown"
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    results = bulk.interrupt(CANCELLED)
    assert kinds(results) == [SUCCEEDED, CANCELLED.kind, CANCELLED.kind]
    assert outcomes(results) == ["done", "unknown", "none"]
    names = [result.error and result.error.data["actionName"] for result in results.results]
    assert names == [None, events[1].action_name, None]
    assert seen == [id_of(events[0])]
    assert held.begun == 2
    held.go.set()
    assert (await client.wait("q1")).phase == SUCCEEDED
    assert await client.get("q2") == events[2]


async def test_a_write_in_progress_is_awaited_and_no_other_starts_after_a_cancellation(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_module, "MAX_CONCURRENT_WRITES", {"local": 1, "flyte": 1})
    events = [await client.make(f"q{number}") for number in range(2)]
    held = Held(client, monkeypatch, results=True)
    bulk = bulk_of(client, *events)
    writing = asyncio.ensure_future(bulk.signal(True))
    await until(lambda: held.begun == 1)
    writing.cancel()
    await settle(100)
    assert not writing.done()
    held.go.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert outcomes(bulk.interrupt(CANCELLED)) == ["done", "none"]
    assert held.begun == 1


async def test_nothing_is_sent_after_the_outcomes_were_reported(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [await client.make(f"q{number}") for number in range(4)]
    held = Held(client, monkeypatch, results=True)
    bulk = bulk_of(client, *events)
    writing = asyncio.ensure_future(bulk.signal(True))
    await until(lambda: held.begun == 1)
    held.go.set()  # the next writes may start in the moment in which the timeout passes
    reported = outcomes(bulk.interrupt(CANCELLED))
    assert reported == ["unknown", "none", "none", "none"]
    assert outcomes(await writing) == ["done", "none", "none", "none"]
    assert held.begun == 1
    assert client.service._order._runs == {}


async def test_a_request_that_never_ran_is_ended_by_its_caller(client: BackendClient) -> None:
    event = await client.make("q")
    bulk = bulk_of(client, event)
    reading = asyncio.ensure_future(client.get("q"))
    await settle(100)
    assert not reading.done()
    assert bulk.describe() == {"outcome": "none", "actionName": None}
    assert outcomes(bulk.interrupt(CANCELLED)) == ["none"]
    bulk.end()
    bulk.end()
    assert await reading == event


async def test_a_large_event_is_returned_partially(client: BackendClient) -> None:
    small, large = await client.make("small", "str"), await client.make("large", "str")
    results = await bulk_of(client, small).signal("x")
    again = await bulk_of(client, large).signal("x" * 20_000)
    other = await bulk_of(client, large).signal("another")
    assert other.results[0].error is not None
    events = [
        results.results[0].event,
        again.results[0].event,
        other.results[0].error.data["event"],
    ]
    assert [(event.payload, event.partial) for event in events if event] == [
        ("x", False),
        (None, True),
        (None, True),
    ]


async def test_a_bug_in_one_write_does_not_affect_the_others(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = await client.make("broken"), await client.make("fine")
    backend = client.harness.backend()
    signal = backend.signal

    async def fail(event: Event, payload: Any) -> Event:
        if event.name == "broken":
            raise ZeroDivisionError
        return await signal(event, payload)

    monkeypatch.setattr(backend, "signal", fail)
    results = await bulk_of(client, broken, fine).signal(True)
    assert kinds(results) == ["internal_error", SUCCEEDED]
    assert outcomes(results) == ["unknown", "done"]


@pytest.mark.parametrize(("limit", "begun"), [(64 << 20, 3), (1, 2)])
async def test_more_writes_run_at_once_while_the_events_are_small(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch, limit: int, begun: int
) -> None:
    monkeypatch.setattr(bulk_module, "MAX_CONCURRENT_WRITES", {"local": 2, "flyte": 2})
    monkeypatch.setattr(bulk_module, "MAX_CONCURRENT_BYTES", limit)
    events = [await client.make(f"q{number}") for number in range(5)]
    held = Held(client, monkeypatch)
    first: list[Target] = []

    def hold(target: Target, _: EventResult) -> None:
        first.append(target)
        if len(first) == 1:
            held.go.clear()

    writing = asyncio.ensure_future(bulk_of(client, *events, on_result=hold).signal(True))
    await until(lambda: held.begun == 1)
    await settle(100)
    assert held.begun == 1
    held.go.set()
    await until(lambda: held.begun == begun)
    await settle(100)
    assert held.begun == begun
    held.go.set()
    assert kinds(await writing) == [SUCCEEDED] * 5
