"""What the backend remembers between requests: it saves calls, and changes no response."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte import cache
from flyte_sidecar.backends.flyte.rpc import run_service as calls
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.errors import BackendError, PermissionDenied
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, Event
from tests.backends.flyte.scenarios import EVERY, ask, prove
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

LISTED, DETAILS, STREAM, RUNS = "ListActions", "GetActionDetails", "WatchActions", "ListRuns"


async def test_details_are_whole_after_a_listing_that_left_them_out(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    prove(flyte)
    for place in range(20):
        ask(flyte, f"q{place}", prompt="Deploy?")
    left_out = await client.listing(details=False)
    assert [event.partial for event in left_out[1:]] == [True] * 20
    whole = await client.listing(details=True)
    assert [(event.partial, event.prompt) for event in whole[1:]] == [(False, "Deploy?")] * 20


async def test_a_listing_with_details_takes_no_snapshot(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    prove(flyte)
    for place in range(100):
        ask(flyte, f"q{place}")
    await client.listing(details=True)
    assert flyte.server.calls[STREAM] == 0


@EVERY
async def test_the_details_of_what_has_ended_are_fetched_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, f"q{place}") for place in range(5)]
    for action in actions[:3]:
        flyte.server.model.signal_directly(RUN.name, action, True)
    flyte.server.model.abort_directly(RUN.name, actions[3])
    flyte.server.model.abort_directly(RUN.name, actions[4])
    first = await client.listing()
    flyte.server.calls.clear()
    assert await client.listing() == first
    assert flyte.server.calls[DETAILS] == 0


@EVERY
async def test_an_answer_that_is_aborted_later_is_reported_as_aborted(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    flyte.server.model.signal_directly(RUN.name, action, True)
    assert [event.phase for event in await client.listing()] == [SUCCEEDED]
    flyte.server.model.abort_directly(RUN.name, action)
    assert [event.phase for event in await client.listing()] == [ABORTED]


@EVERY
async def test_an_event_that_no_cache_can_hold_is_reported_all_the_same(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_DETAILS_BYTES", 10)
    ask(flyte, "q", "str")
    (pending,) = await client.listing()
    assert await client.get("q") == pending
    assert (await client.signal("q", "yes" * 1000)).payload == "yes" * 1000
    (answered,) = await client.listing()
    assert answered.payload == "yes" * 1000
    assert await client.get("q") == answered


async def test_an_answer_is_reported_once_it_can_be_read_and_from_then_on(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.signal_directly(RUN.name, ask(flyte), True)
    event = await client.get("q")
    assert event is not None
    unfinished = replace(event, payload=None)
    remembered = cache.EventCache(row_freshness=15.0)
    assert remembered.update(unfinished) == unfinished
    assert remembered.update(event) == event
    assert remembered.update(unfinished) == event


@EVERY
async def test_tasks_of_the_same_name_are_read_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for _ in range(40):
        flyte.server.model.task(RUN.name, "q")
    ask(flyte)
    await client.get("q")
    flyte.server.calls.clear()
    assert await client.get("q") is not None
    assert flyte.server.calls[DETAILS] == 1


@EVERY
async def test_answered_events_of_the_same_name_cost_a_signal_no_details(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte) for _ in range(20)]
    for action in actions[:-1]:
        flyte.server.model.signal_directly(RUN.name, action, True)
    await client.listing()
    flyte.server.calls.clear()
    assert (await client.signal("q", True)).action_name == actions[-1]
    assert flyte.server.calls[DETAILS] <= 3


@EVERY
async def test_an_event_is_found_by_its_name_where_the_backend_filters_no_names(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = calls.RunService.actions

    async def actions(service: Any, run: Any, filters: Any, token: str) -> Any:
        if any(one.field == "function_name" for one in filters):
            raise RpcError("INVALID_ARGUMENT", "invalid filter field: function_name")
        return await real(service, run, filters, token)

    monkeypatch.setattr(calls.RunService, "actions", actions)
    for name in ("before", "q", "after"):
        ask(flyte, name)
    found = await client.get("q")
    assert found is not None
    assert found.name == "q"
    assert (await client.signal("q", True)).action_name == found.action_name
    assert await client.get("missing") is None


async def test_only_runs_with_pending_events_are_read_for_the_inbox(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(20):
        flyte.server.model.task(f"work{place}", "work")
    flyte.server.model.ask("r1", "q")
    assert [event.name for event in await client.pending()] == ["q"]
    assert flyte.server.calls[LISTED] <= 2


async def test_a_listing_of_runs_that_is_rejected_is_not_retried(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.ask("r1", "q")
    refused = (grpc.StatusCode.INVALID_ARGUMENT, "not so")
    flyte.server.faults.errors[RUNS] = refused
    with pytest.raises(BackendError, match="not so"):
        await client.runs()
    assert flyte.server.calls[RUNS] == 1


async def test_a_later_page_of_runs_that_is_denied_is_not_listed_in_another_way(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(3):
        flyte.server.model.ask(f"r{place}", "q")
    page = await client.runs_page(limit=1)
    flyte.server.faults.errors[RUNS] = (grpc.StatusCode.PERMISSION_DENIED, "not any more")
    flyte.server.calls.clear()
    with pytest.raises(PermissionDenied):
        await client.runs_page(limit=1, cursor=page.next_cursor)
    assert flyte.server.calls[RUNS] == 1


class Recorder:
    """Records what the cache delivers of a run."""

    def __init__(self) -> None:
        self.updates: list[Event] = []
        self.resolved: list[Event] = []
        self.removed: list[Event] = []
        self.on_update = self.updates.append
        self.on_resolved = self.resolved.append
        self.on_remove = self.removed.append


async def test_the_cache_delivers_each_change_once_and_never_a_resolved_event_as_pending(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    pending = await client.get("q")
    await client.signal("q", True)
    answered = await client.get("q")
    assert pending is not None
    assert answered is not None
    events, recorder = cache.EventCache(row_freshness=15.0), Recorder()
    events.follow(RUN, recorder)
    events.watch(RUN)
    for event in (pending, pending, answered, answered, pending):
        events.update(event)
    assert recorder.updates == [pending, answered]
    assert recorder.resolved == [answered] * 3
    assert events.watched(RUN) == {action: answered}
    events.remove(RUN, action)
    events.remove(RUN, action)
    assert recorder.removed == [answered]
    events.unfollow(RUN)
    events.update(answered)
    assert len(recorder.updates) == 2
    assert not events.watched(RUN)
