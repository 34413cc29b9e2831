"""Which event a name refers to, and which operations each state of an event allows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

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
    TIMED_OUT,
    Event,
    NewEvent,
    Target,
)
from tests.contract.harness import RUN, BackendClient


async def test_a_new_event_waits_for_an_answer(client: BackendClient) -> None:
    event = await client.make("deploy", "int", parent="a7", expires_in=60)
    assert (event.name, event.parent, event.expected_type) == ("deploy", "a7", "int")
    assert (event.run_name, event.org, event.project, event.domain) == (
        RUN.name,
        RUN.org,
        RUN.project,
        RUN.domain,
    )
    assert (event.phase, event.pending) == (PAUSED, True)
    assert event.created_at is not None
    assert event.expires_at is not None
    assert (event.expires_at - event.created_at).total_seconds() == 60
    assert (event.payload, event.ended_at, event.abort_reason, event.signalled_by) == (None,) * 4
    assert await client.get("deploy") == event
    assert await client.get(action_name=event.action_name) == event


@pytest.mark.parametrize("name", ["nope", "", "\0", "a\nb", "x" * 5000, "\U0001f600"])
async def test_a_name_that_does_not_exist_is_not_found(client: BackendClient, name: str) -> None:
    await client.make("q")
    targets: list[dict[str, Any]] = [
        {"name": name},
        {"name": None, "action_name": name},
        {"name": "q", "parent": name},
    ]
    for target in targets:
        assert await client.get(**target) is None
        for attempt in (client.signal(payload=True, **target), client.abort(**target)):
            with pytest.raises(EventNotFound):
                await attempt
        with pytest.raises(EventNotFound):
            await client.wait(**target)


async def test_events_of_other_runs_and_scopes_do_not_match(client: BackendClient) -> None:
    event = await client.make("q")
    for run in (
        type(RUN)("o", RUN.project, RUN.domain, RUN.name),
        type(RUN)(RUN.org, "p", RUN.domain, RUN.name),
        type(RUN)(RUN.org, RUN.project, "d", RUN.name),
        type(RUN)(RUN.org, RUN.project, RUN.domain, "r2"),
    ):
        backend = client.harness.backend()
        assert await resolve(backend.find(Target(run, name="q"))) is None
        assert await resolve(backend.find(Target(run, action_name=event.action_name))) is None
        assert (await client.page(run)).events == []


async def test_get_returns_the_first_created_of_those_that_match(client: BackendClient) -> None:
    first = await client.make("q", parent="a1")
    second = await client.make("q", parent="a2")
    assert await client.get("q") == first
    await client.signal("q", True, parent="a1")
    found = await client.get("q")
    assert found is not None
    assert (found.action_name, found.phase) == (first.action_name, SUCCEEDED)
    assert await client.get("q", parent="a2") == second


@pytest.mark.parametrize("act", ["signal", "wait", "abort"])
async def test_a_name_refers_to_the_only_unresolved_event(
    client: BackendClient, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.make("q", parent="a1")
    waiting = await client.make("q", parent="a2")
    await client.make("q", parent="a3")
    await client.signal("q", True, parent="a1")
    await client.abort("q", parent="a3")
    if act == "wait":
        backend = client.service.backend
        resolved = backend.resolved
        chosen = asyncio.Event()

        async def noted(event: Event) -> Event:
            chosen.set()
            return await resolved(event)

        monkeypatch.setattr(backend, "resolved", noted)
        task = asyncio.ensure_future(client.wait("q"))
        await chosen.wait()
        await client.signal(None, True, action_name=waiting.action_name)
        reported = await task
    else:
        reported = await (client.signal("q", True) if act == "signal" else client.abort("q"))
    assert reported.action_name == waiting.action_name


@pytest.mark.parametrize("act", ["signal", "wait", "abort"])
async def test_a_name_refers_to_the_last_created_event_if_none_is_unresolved(
    client: BackendClient, act: str
) -> None:
    for parent in ("a1", "a2"):
        await client.make("q", parent=parent)
    for parent in ("a2", "a1"):  # resolved in reverse order
        if act == "abort":
            await client.abort("q", parent, parent=parent)
        else:
            await client.signal("q", True, parent=parent)
    if act == "wait":
        reported = await client.wait("q")
    else:
        reported = await (client.signal("q", True) if act == "signal" else client.abort("q"))
    assert reported.parent == "a2"


@pytest.mark.parametrize("act", ["signal", "wait", "abort"])
@pytest.mark.parametrize("count", [2, 20, 25])
async def test_several_unresolved_events_are_ambiguous_and_the_first_20_are_reported(
    client: BackendClient, act: str, count: int
) -> None:
    events = [await client.make("q", parent=f"a{number}") for number in range(count)]
    acts = {
        "signal": lambda: client.signal("q", True),
        "wait": lambda: client.wait("q"),
        "abort": lambda: client.abort("q"),
    }
    with pytest.raises(AmbiguousEvent) as refused:
        await acts[act]()
    assert refused.value.data["candidates"] == events[:20]
    assert await client.listing() == events
    parent = f"a{count - 1}"
    assert (await client.signal("q", True, parent=parent)).action_name == events[-1].action_name


async def test_a_name_is_free_under_another_parent_and_taken_under_its_own(
    client: BackendClient,
) -> None:
    if not client.harness.can_create:
        pytest.skip("only runs make events here")
    event = await client.make("q", parent="a1")
    await client.make("q", parent="a2")
    for ended in (False, True):
        if ended:
            event = await client.signal("q", True, parent="a1")
        write = client.service.write(Target(RUN, name="q", parent="a1"))
        with pytest.raises(EventExists) as refused:
            await client.service.create(write, NewEvent(run=RUN, name="q", parent="a1"))
        assert refused.value.data == {"event": event}


VALUES: dict[str, tuple[Any, Any]] = {
    "bool": (True, False),
    "int": (2**53 + 1, 2**53),
    "float": (float("nan"), 1.5),
    "str": ("x", ""),
}


@pytest.mark.parametrize("declared", VALUES)
@pytest.mark.parametrize("by_id", [True, False])
async def test_the_same_value_again_changes_nothing_and_another_is_rejected_with_the_event(
    client: BackendClient, declared: str, by_id: bool
) -> None:
    value, other = VALUES[declared]
    event = await client.make("q", declared)
    target: dict[str, Any] = {"action_name": event.action_name} if by_id else {}
    name = None if by_id else "q"
    reported = await client.signal(name, value, **target)
    again = await client.signal(name, value, **target)
    assert repr(again) == repr(reported)
    of_another_type = 7 if declared == "str" else "x"
    for refused_value in (other, of_another_type):
        with pytest.raises(AlreadySignalled) as refused:
            await client.signal(name, refused_value, **target)
        assert repr(refused.value.data["event"]) == repr(reported)
    with pytest.raises(AlreadySignalled):
        await client.signal(name, value, "str" if declared != "str" else "int", **target)
    assert repr(await client.get("q")) == repr(reported)


async def test_an_int_as_digits_is_the_same_value(client: BackendClient) -> None:
    await client.make("q", "int")
    reported = await client.signal("q", 2**60)
    assert await client.signal("q", str(2**60)) == reported


async def test_an_aborted_event_rejects_an_answer_and_keeps_its_first_reason(
    client: BackendClient,
) -> None:
    await client.make("q")
    reported = await client.abort("q", "first")
    assert (reported.phase, reported.pending, reported.abort_reason) == (ABORTED, False, "first")
    assert reported.ended_at is not None
    assert await client.abort("q", "second") == reported
    with pytest.raises(AlreadyCompleted) as refused:
        await client.signal("q", True)
    assert refused.value.data == {"event": reported}
    assert await client.get("q") == reported


async def test_an_event_may_be_aborted_without_a_reason(client: BackendClient) -> None:
    await client.make("q")
    assert (await client.abort("q")).abort_reason is None
    assert (await client.abort("q", "late")).abort_reason is None


async def test_an_answered_event_cannot_be_aborted(client: BackendClient) -> None:
    await client.make("q")
    reported = await client.signal("q", False)
    with pytest.raises(AlreadySignalled) as refused:
        await client.abort("q")
    assert refused.value.data == {"event": reported}
    assert await client.get("q") == reported


async def test_an_expired_event_is_timed_out_for_everyone(client: BackendClient) -> None:
    event = await client.make("q", expires_in=60)
    client.harness.pass_time(50)  # Flyte's instants are whole seconds: it may be early
    assert await client.get("q") == event
    client.harness.pass_time(11)
    reported = await client.get("q")
    assert reported is not None
    assert (reported.phase, reported.pending, reported.ended_at) == (
        TIMED_OUT,
        False,
        event.expires_at,
    )
    attempts = [client.signal("q", True), client.signal("q", "x"), client.abort("q")]
    for attempt in attempts:
        with pytest.raises(AlreadyCompleted) as refused:
            await attempt
        assert refused.value.data == {"event": reported}
    assert await client.wait("q") == reported
    assert await client.listing() == [reported]
    assert await client.listing(phases=[PAUSED]) == []
    assert await client.listing(phases=[TIMED_OUT]) == [reported]


@pytest.mark.parametrize("ask", ["signal", "abort", "wait", "page", "phases"])
async def test_every_request_sees_an_expiry_that_is_not_recorded_yet(
    client: BackendClient, ask: str
) -> None:
    await client.make("q", expires_in=60)
    await client.get("q")
    client.harness.pass_time(61)
    if ask == "page":
        assert (await client.listing())[0].phase == TIMED_OUT
    elif ask == "phases":
        assert await client.listing(phases=[PAUSED]) == []
    elif ask == "wait":
        assert (await client.wait("q")).phase == TIMED_OUT
    else:
        with pytest.raises(AlreadyCompleted):
            await (client.signal("q", True) if ask == "signal" else client.abort("q"))


async def test_an_event_reported_as_expired_stays_so_when_the_clock_steps_back(
    client: BackendClient,
) -> None:
    await client.make("q", expires_in=60)
    client.harness.pass_time(61)
    reported = await client.get("q")
    client.harness.pass_time(-3600)
    assert await client.get("q") == reported
    with pytest.raises(SidecarError):
        await client.signal("q", True)
    assert await client.listing() == [reported]


async def test_a_pending_event_takes_precedence_over_an_expired_one(client: BackendClient) -> None:
    await client.make("q", parent="a1", expires_in=60)
    waiting = await client.make("q", parent="a2")
    client.harness.pass_time(61)
    assert (await client.signal("q", True)).action_name == waiting.action_name
