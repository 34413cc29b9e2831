"""What a client may rely on when it pipelines requests."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar._futures import resolve
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    AmbiguousEvent,
    EventExists,
    EventNotFound,
    SidecarError,
)
from flyte_sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    Event,
    NewEvent,
    Query,
    Run,
    Target,
)
from flyte_sidecar.events.service import EventService
from tests.contract.harness import RUN, BackendClient, settle
from tests.contract.held import Held, until

runs = itertools.count()

NAMES = st.sampled_from(["x", "y"])
PARENTS = st.sampled_from(["a0", "a1"])
MAYBE = st.one_of(st.none(), PARENTS)
REQUESTS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, PARENTS),
        st.tuples(st.just("signal"), NAMES, MAYBE, st.booleans()),
        st.tuples(st.just("abort"), NAMES, MAYBE),
        st.tuples(st.just("get"), NAMES, MAYBE),
        st.tuples(st.just("page")),
    ),
    max_size=14,
)


class Unsure(Exception):
    """Events of one name that are created concurrently under several parents have no order."""


class SequentialModel:
    """The events of a run whose requests are performed sequentially."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def do(self, what: str, *arguments: Any) -> Any:
        try:
            return getattr(self, what)(*arguments)
        except (SidecarError, Unsure) as error:
            return type(error)

    def create(self, name: str, parent: str) -> Any:
        if self.fitting(name, parent):
            raise EventExists("")
        event = {"name": name, "parent": parent, "phase": PAUSED, "payload": None}
        self.events.append(event)
        return dict(event)

    def signal(self, name: str, parent: str | None, payload: bool) -> Any:
        event = self.chosen(name, parent)
        if event["phase"] == ABORTED:
            raise AlreadyCompleted("")
        if event["phase"] == SUCCEEDED and event["payload"] is not payload:
            raise AlreadySignalled("")
        event.update(phase=SUCCEEDED, payload=payload)
        return dict(event)

    def abort(self, name: str, parent: str | None) -> Any:
        event = self.chosen(name, parent)
        if event["phase"] == SUCCEEDED:
            raise AlreadySignalled("")
        event.update(phase=ABORTED)
        return dict(event)

    def get(self, name: str, parent: str | None) -> Any:
        found = self.fitting(name, parent)
        if found and parent is None:
            raise Unsure
        return dict(found[0]) if found else None

    def page(self) -> Any:
        return [dict(event) for event in self.events]

    def fitting(self, name: str, parent: str | None) -> list[dict[str, Any]]:
        return [
            event
            for event in self.events
            if event["name"] == name and parent in (None, event["parent"])
        ]

    def chosen(self, name: str, parent: str | None) -> dict[str, Any]:
        found = self.fitting(name, parent)
        unresolved = [event for event in found if event["phase"] == PAUSED]
        if not found:
            raise EventNotFound("")
        if len(unresolved) > 1:
            raise AmbiguousEvent("")
        if len(found) > 1 and not unresolved:
            raise Unsure
        return unresolved[0] if unresolved else found[-1]


def sent(service: EventService, run: Run, what: str, *arguments: Any) -> Awaitable[Any]:
    """Start a request as a connection does: in order, without awaiting it."""
    if what == "page":
        return resolve(service.page(Query(run=run, details=True)))
    name, parent = arguments[:2]
    target = Target(run, name=name, parent=parent)
    if what == "get":
        return resolve(service.get(target))
    write = service.write(target)
    if what == "create":
        return service.create(write, NewEvent(run=run, name=name, parent=parent))
    if what == "signal":
        return service.signal(write, arguments[2])
    return service.abort(write, None)


def in_model_form(result: Any) -> Any:
    """Return a result in the form of the model."""
    if isinstance(result, Event):
        return {name: getattr(result, name) for name in ("name", "parent", "phase", "payload")}
    if isinstance(result, BaseException):
        return type(result)
    return result if result is None else [in_model_form(event) for event in result.events]


def covers(seen: Any, expected: Any) -> bool:
    """Return whether a read saw all that was sent before it; it may have seen more."""
    if expected is None:
        return True
    if expected is Unsure:
        return seen is not None
    if isinstance(expected, list):
        return all(any(covers(one, event) for one in seen) for event in expected)
    if expected["phase"] == PAUSED:
        return all(seen[member] == expected[member] for member in ("name", "parent"))
    return bool(seen == expected)


@given(REQUESTS)
@settings(max_examples=60)
async def test_pipelined_requests_have_the_same_results_as_sequential_ones(
    client: BackendClient, requests: list[tuple[Any, ...]]
) -> None:
    run = Run(None, "local", "local", f"order{next(runs)}")
    model = SequentialModel()

    tasks = [asyncio.ensure_future(sent(client.service, run, *one)) for one in requests]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for request, result in zip(requests, results, strict=True):
        expected = model.do(*request)
        if request[0] in ("get", "page"):
            assert covers(in_model_form(result), expected)
        elif expected is not Unsure:
            assert in_model_form(result) == expected


async def test_a_write_waits_only_for_earlier_ones_that_may_refer_to_its_event(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await client.make("q", parent="a1")
    await client.make("q", parent="a2")
    await client.make("other", parent="a1")
    held = Held(client, monkeypatch)
    first = asyncio.ensure_future(client.signal("q", True, parent="a1"))
    await until(lambda: held.begun == 1)
    elsewhere = [
        asyncio.ensure_future(client.signal("q", True, parent="a2")),
        asyncio.ensure_future(client.signal("other", True)),
    ]
    await until(lambda: held.begun == 3)
    same = [
        asyncio.ensure_future(client.signal("q", True, parent="a1")),
        asyncio.ensure_future(client.abort("q", parent="a1")),
        asyncio.ensure_future(client.signal(None, True, action_name=one.action_name)),
    ]
    for _ in range(50):
        await asyncio.sleep(0)
    assert held.begun == 3
    held.go.set()
    told_first = await first
    await asyncio.gather(*elsewhere)
    results = await asyncio.gather(*same, return_exceptions=True)
    assert results[0] == results[2] == told_first
    assert isinstance(results[1], AlreadySignalled)


async def test_a_read_waits_for_the_writes_to_its_run_and_for_no_others(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.make("q")
    held = Held(client, monkeypatch)
    signalling = asyncio.ensure_future(client.signal("q", True))
    await until(lambda: held.begun == 1)
    elsewhere = await resolve(
        client.service.get(Target(Run(None, "local", "local", "r2"), name="q"))
    )
    assert elsewhere is None
    reading = asyncio.ensure_future(client.get("nothing"))
    await settle(100)
    assert not reading.done()
    held.go.set()
    assert await reading is None
    assert signalling.done()


async def test_a_write_that_failed_lets_the_next_one_proceed(client: BackendClient) -> None:
    first = asyncio.ensure_future(client.signal("q", True))
    second = asyncio.ensure_future(client.signal("q", True))
    for task in (first, second):
        with pytest.raises(EventNotFound):
            await task
    await client.make("q")
    assert (await client.signal("q", True)).phase == SUCCEEDED


async def test_a_write_that_never_ran_is_ended_by_its_caller(client: BackendClient) -> None:
    await client.make("q")
    write = client.service.write(Target(RUN, name="q"))
    reading = asyncio.ensure_future(client.get("q"))
    await settle(100)
    assert not reading.done()
    write.end()
    write.end()
    assert await reading is not None


async def test_the_outcome_of_a_write_follows_its_progress(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await client.make("q")
    held = Held(client, monkeypatch)
    write = client.service.write(Target(RUN, name="q"))
    assert write.describe() == {"outcome": "none", "actionName": None}
    signalling = asyncio.ensure_future(client.service.signal(write, True))
    await until(lambda: held.begun == 1)
    assert write.describe() == {"outcome": "unknown", "actionName": event.action_name}
    held.go.set()
    await signalling


async def test_a_rejected_write_has_the_outcome_none(client: BackendClient) -> None:
    event = await client.make("q")
    write = client.service.write(Target(RUN, name="q"))
    with pytest.raises(SidecarError):
        await client.service.signal(write, 5)
    assert write.describe() == {"outcome": "none", "actionName": event.action_name}


async def test_a_write_cancelled_before_its_turn_does_not_happen(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await client.make("q")
    held = Held(client, monkeypatch)
    first = asyncio.ensure_future(client.signal("q", True))
    await until(lambda: held.begun == 1)
    write = client.service.write(Target(RUN, name="q"))
    second = asyncio.ensure_future(client.service.abort(write, None))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert write.describe() == {"outcome": "none", "actionName": None}
    held.go.set()
    assert (await first).action_name == event.action_name


async def test_a_write_in_progress_is_not_cancelled_and_its_result_is_reported(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.make("q")
    held = Held(client, monkeypatch, results=True)
    signalling = asyncio.ensure_future(client.signal("q", True))
    await until(lambda: held.begun == 1)
    signalling.cancel()
    await settle(100)
    assert not signalling.done()
    held.go.set()
    assert (await signalling).phase == SUCCEEDED


async def test_a_write_that_takes_too_long_is_abandoned_but_continues(
    client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyte_sidecar.events.write_order.CANCELLED_WRITE_TIMEOUT", 0.01)
    await client.make("q")
    held = Held(client, monkeypatch, results=True)
    write = client.service.write(Target(RUN, name="q"))
    signalling = asyncio.ensure_future(client.service.signal(write, True))
    await until(lambda: held.begun == 1)
    signalling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await signalling
    assert write.describe()["outcome"] == "unknown"
    held.go.set()
    assert (await client.wait("q")).phase == SUCCEEDED


async def test_ended_writes_are_forgotten(client: BackendClient) -> None:
    await client.make("q")
    for _ in range(3):
        await asyncio.gather(*(client.signal("q", True) for _ in range(20)))
    assert client.service._order._runs == {}
