"""Which calls it takes to find an event, and which one is found."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.errors import AlreadyCompleted, InvalidParams, UnsupportedByBackend
from flyte_sidecar.events.model import PAUSED, SUCCEEDED, TIMED_OUT, NewEvent, Run, Target
from tests.backends.flyte.scenarios import EVERY, OLD, OLD_AND_NEW, ask, timed, until
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient
from tests.fake_runservice.hostile import Execute


@OLD_AND_NEW
async def test_an_event_is_got_by_name_in_two_calls_whatever_the_size_of_the_run(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(2_000):
        ask(flyte, f"q{place}")
    for name in ("q1999", "q0", "q1000"):
        flyte.server.calls.clear()
        found = await client.get(name)
        assert found is not None
        assert (found.name, found.partial) == (name, False)
        assert flyte.server.calls == Counter(ListActions=1, GetActionDetails=1)


@OLD_AND_NEW
async def test_an_event_is_got_by_id_in_one_call(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    assert (await client.get(action_name=action)) is not None
    assert flyte.server.calls == Counter(GetActionDetails=1)


@OLD_AND_NEW
async def test_a_name_that_nobody_has_costs_one_call(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    assert await client.get("nope") is None
    assert flyte.server.calls == Counter(ListActions=1)


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\ud800"])
async def test_what_can_be_no_name_costs_no_call(
    client: BackendClient, flyte: FlyteHarness, text: str
) -> None:
    ask(flyte)
    if text:  # an event may have an empty name
        assert await client.get(text) is None
    assert await client.get(action_name=text) is None
    nowhere = Run(RUN.org, RUN.project, RUN.domain, text)
    assert await resolve(flyte.backend().find(Target(nowhere, name="q"))) is None
    assert (await client.page(nowhere)).events == []
    assert not flyte.server.calls


@EVERY
async def test_an_empty_name_is_reported_and_found_by_itself(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte, "named", action="c1")
    ask(flyte, "", action="c2")
    for place in range(40):  # enough for a snapshot
        ask(flyte, f"q{place}")
    watching = client.watch()
    picture = await watching.until(lambda picture: len(picture.events) == 42)
    assert picture.named()[""].action_name == "c2"
    for details in (False, True):
        listed = {event.action_name: event.name for event in await client.listing(details=details)}
        assert (listed["c1"], listed["c2"]) == ("named", "")
    found = await client.get("")
    assert found is not None
    assert (found.name, found.action_name) == ("", "c2")
    assert {event.name for event in await client.pending()} >= {"named", ""}
    waiting = asyncio.ensure_future(client.wait(""))
    reported = await client.signal("", True)
    assert (reported.name, reported.action_name, await waiting) == ("", "c2", reported)
    assert [event.name for event in await client.listing(phases=[SUCCEEDED])] == [""]


@EVERY
async def test_tasks_of_the_same_name_are_no_events(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    model = flyte.server.model
    for _ in range(40):
        model.task(RUN.name, "q")
    action = ask(flyte)
    for _ in range(3):
        model.task(RUN.name, "q", phase="SUCCEEDED")
    found = await client.get("q")
    assert found is not None
    assert found.action_name == action
    assert (await client.signal("q", True)).action_name == action
    assert (await client.signal("q", True)).phase == SUCCEEDED
    assert await client.get(action_name="a0") is None


@EVERY
async def test_a_name_is_compared_to_the_letter(client: BackendClient, flyte: FlyteHarness) -> None:
    for name in ("q%", "Q", "q_", "qq", " q"):
        ask(flyte, name)
    assert await client.get("q") is None
    found = await client.get("q%")
    assert found is not None
    assert found.name == "q%"


@EVERY
async def test_events_of_one_second_are_in_the_order_of_their_ids(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    # The later ones are queued: what the backend calls their creation is not yet cut.
    for action in ("zz", "b", "mm"):
        ask(flyte, action=action)
    ask(flyte, action="aa", queued=True)
    ask(flyte, action="a", queued=True)
    found = [event.action_name for event in await client.listing()]
    assert found == sorted(found)
    first = await client.get("q")
    assert first is not None
    assert first.action_name == "a"
    for event in await client.listing():
        assert event.created_at is not None
        assert event.created_at.microsecond == 0


@EVERY
async def test_the_first_of_a_second_is_found_on_whichever_page_it_is(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(300):
        ask(flyte, action=f"m{place:03}")
    ask(flyte, action="a", queued=True)
    found = await client.get("q")
    listed = await client.listing(limit=1000)
    assert found == listed[0]
    assert found is not None
    if found.created_at == listed[-1].created_at:  # all were made in one second
        assert found.action_name == "a"


@EVERY
async def test_the_first_of_hundreds_of_one_name_is_found_and_the_last_too(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte, parent=f"a{place}") for place in range(450)]
    first = await client.get("q")
    assert first is not None
    assert first.action_name == actions[0]
    last = await client.get("q", parent="a449")
    assert last is not None
    assert last.action_name == actions[-1]


@EVERY
async def test_the_only_unresolved_of_many_of_one_name_is_meant(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    actions = [ask(flyte) for _ in range(70)]
    for action in (*actions[:50], *actions[51:]):
        flyte.server.model.signal_directly(RUN.name, action, True)
    assert (await client.signal("q", False)).action_name == actions[50]
    flyte.server.calls.clear()
    reported = await client.signal("q", True)  # the last created, which was answered so before
    assert reported.action_name == actions[-1]
    assert flyte.server.calls["GetActionDetails"] <= 2  # what was resolved is remembered


@OLD_AND_NEW
async def test_an_answer_makes_an_event_resolved_whatever_its_phase(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.phase_lag = 3600
    action = ask(flyte, "q", "int")
    flyte.server.model.signal_directly(RUN.name, action, 7)
    found = await client.get("q")
    assert found is not None
    assert (found.phase, found.pending, found.payload) == (SUCCEEDED, False, 7)
    (listed,) = await client.listing()
    assert listed == found
    assert await client.listing(phases=[PAUSED]) == []


@OLD
@timed(max_clock_skew=60.0)
async def test_before_2_0_43_an_expiry_is_reported_after_the_clock_skew_of_a_minute(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(flyte, expires_in=60)
    client.harness.pass_time(100)
    found = await client.get("q")
    assert found is not None
    assert found.pending
    client.harness.pass_time(30)
    found = await client.get("q")
    assert found is not None
    assert (found.phase, found.pending, found.ended_at) == (TIMED_OUT, False, found.expires_at)


@OLD
@timed(max_clock_skew=60.0)
async def test_before_2_0_43_a_rejected_signal_shows_the_expiry_sooner(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(flyte, expires_in=60)
    client.harness.pass_time(70)
    with pytest.raises(AlreadyCompleted) as refused:
        await client.signal("q", True)
    reported = refused.value.data["event"]
    assert (reported.phase, reported.pending, reported.ended_at) == (
        TIMED_OUT,
        False,
        reported.expires_at,
    )
    assert await client.get("q") == reported


async def test_from_2_0_43_on_only_the_backend_decides_on_an_expiry(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(flyte, expires_in=60)
    flyte.clock_skew = timedelta(days=1)
    found = await client.get("q")
    assert found is not None
    assert found.pending
    assert (await client.signal("q", True)).phase == SUCCEEDED


@OLD
async def test_an_expiry_that_was_only_computed_does_not_keep_an_answer_from_the_backend(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(flyte, expires_in=60)
    flyte.clock_skew = timedelta(days=1)
    found = await client.get("q")
    assert found is not None
    assert found.phase == TIMED_OUT
    reported = await client.signal("q", True)
    assert (reported.phase, reported.payload) == (SUCCEEDED, True)
    assert await client.get("q") == reported


@EVERY
async def test_a_thousand_gets_at_once_all_find_their_event(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    for place in range(100):
        ask(flyte, f"q{place}")
    found = await asyncio.gather(*(client.get(f"q{place % 100}") for place in range(1000)))
    assert [event and event.name for event in found] == [f"q{n % 100}" for n in range(1000)]


async def test_calls_carry_a_request_id_and_who_calls(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    await client.get("q")
    identities = []
    for _, _, metadata in flyte.server.requests:
        words = dict(metadata)
        assert words["user-agent"].startswith("flyte-sidecar-tests ")
        identities.append(words["x-request-id"])
    assert len(identities) == len(set(identities)) == 2


@pytest.mark.parametrize("release", ["hosted"])
async def test_a_filter_that_is_unsupported_is_sent_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    await client.get("q")
    flyte.server.calls.clear()
    for _ in range(3):
        assert await client.get("q") is not None
    assert flyte.server.calls == Counter(ListActions=3, GetActionDetails=3)


async def test_a_request_that_is_wrong_with_and_without_filters_teaches_nothing(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.errors["ListActions"] = (
        grpc.StatusCode.INVALID_ARGUMENT,
        "no such project",
    )
    with pytest.raises(Exception, match="no such project"):
        await client.get("q")
    flyte.server.faults.errors.clear()
    flyte.server.calls.clear()
    assert await client.get("q") is not None
    assert flyte.server.calls == Counter(ListActions=1, GetActionDetails=1)


async def test_no_event_is_made_on_flyte(flyte: FlyteHarness) -> None:
    plain = super(type(flyte.backend()), flyte.backend())
    with pytest.raises(UnsupportedByBackend):
        await plain.create(NewEvent(run=RUN, name="q", parent="a0"))


@pytest.mark.parametrize(
    ("project", "domain", "path"), [(None, "d", "/project"), ("p", None, "/domain")]
)
async def test_a_run_without_project_or_domain_is_rejected(
    client: BackendClient, project: str | None, domain: str | None, path: str
) -> None:
    run = Run(None, project, domain, "r")
    with pytest.raises(InvalidParams) as refused:
        await client.page(run)
    assert refused.value.data == {"path": path}


@pytest.mark.parametrize("release", ["hosted"])
async def test_where_orgs_count_an_event_is_found_in_its_org_alone(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte, org="acme")
    theirs = Run("acme", RUN.project, RUN.domain, RUN.name)
    assert await client.get("q") is None
    found = await resolve(flyte.backend().find(Target(theirs, name="q")))
    assert found is not None
    assert found.org == "acme"
    reported = await client.service.signal(client.service.write(Target(theirs, name="q")), True)
    assert (reported.phase, reported.org) == (SUCCEEDED, "acme")


async def test_an_event_that_a_listing_reported_as_resolved_is_not_pending_for_an_older_read(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    await client.get("q")  # since then a listing needs no details for its name
    read, gate = threading.Event(), threading.Event()

    async def late(_: object, execute: Execute) -> AsyncIterator[bytes]:
        data = await execute()
        read.set()
        await asyncio.to_thread(gate.wait)
        yield data

    flyte.server.hostile.script("GetActionDetails", [late])
    reading_it = asyncio.ensure_future(client.get(action_name=action))
    await until(read.is_set)
    flyte.server.model.signal_directly(RUN.name, action, True)
    (listed,) = await client.listing(details=False)
    gate.set()
    found = await reading_it
    assert found is not None
    assert (listed.pending, found.pending) == (False, False)
