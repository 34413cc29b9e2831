"""Answers and aborts, and what becomes of them when calls are lost or come too late."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.rpc import retry
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    BackendError,
    BackendUnavailable,
    EventNotFound,
    PayloadTypeMismatch,
    UnsupportedByBackend,
)
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, TIMED_OUT, Event, Target
from tests.backends.flyte.scenarios import EVERY, OLD_AND_NEW, ask, timed
from tests.contract.flyte import FAST, FlyteHarness
from tests.contract.harness import RUN, BackendClient

VALUES = [("bool", False), ("int", 2**63 - 1), ("float", 3), ("str", "\0")]


@pytest.fixture
def timing() -> Timing:
    return replace(FAST, retry_delay=0.0)


async def found(client: BackendClient, action: str) -> Event:
    event = await client.get(action_name=action)
    assert event is not None
    return event


@pytest.mark.parametrize(("declared", "value"), VALUES)
@EVERY
async def test_a_payload_is_sent_exactly_as_its_type_and_to_its_place(
    client: BackendClient, flyte: FlyteHarness, declared: str, value: Any
) -> None:
    action = ask(flyte, "q", declared, parent="a7")
    reported = await client.signal("q", value)
    assert (reported.phase, reported.pending, reported.payload) == (SUCCEEDED, False, value)
    assert type(reported.payload).__name__ == declared
    (request,) = [one for method, one, _ in flyte.server.requests if method == "SignalEvent"]
    assert request.parent_action_name == "a7"
    assert request.action_id.name == action
    member = {"bool": "bool_value", "int": "int_value", "float": "float_value"}
    assert request.payload.WhichOneof("value") == member.get(declared, "string_value")


@EVERY
async def test_a_signal_whose_response_is_lost_is_reported_and_applied_once(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    flyte.server.faults.unavailable_after["SignalEvent"] = 2
    assert (await client.signal("q", True)).payload is True
    assert flyte.server.calls["SignalEvent"] == 3
    assert flyte.server.model.action(RUN.name, action).payload is True


@EVERY
async def test_a_signal_whose_responses_are_all_lost_is_found_recorded(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.unavailable_after["SignalEvent"] = 1000
    assert (await client.signal("q", True)).payload is True


@EVERY
async def test_a_signal_that_never_arrives_is_unavailable_and_changes_nothing(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    flyte.server.faults.unavailable["SignalEvent"] = 1000
    with pytest.raises(BackendUnavailable) as refused:
        await client.signal("q", True)
    assert refused.value.retryable
    assert refused.value.data == {"grpcStatus": "UNAVAILABLE", "outcome": "unknown"}
    assert flyte.server.calls["SignalEvent"] == retry.ATTEMPTS
    flyte.server.faults.unavailable.clear()
    assert (await found(client, action)).pending


@EVERY
async def test_of_two_concurrent_answers_one_wins_and_the_other_gets_it_in_its_error(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte, "q", "int")
    others = [BackendClient(flyte) for _ in range(10)]
    results = await asyncio.gather(
        *(one.signal("q", place) for place, one in enumerate(others)), return_exceptions=True
    )
    (won,) = [one for one in results if isinstance(one, Event)]
    for result in results:
        if result is not won:
            assert isinstance(result, AlreadySignalled)
            assert result.data["event"].payload == won.payload


@EVERY
async def test_an_answer_to_an_event_that_was_just_answered_fails_with_that_answer(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte, "q", "int")
    event = await found(client, action)
    flyte.server.model.signal_directly(RUN.name, action, 1, by="alice")
    with pytest.raises(AlreadySignalled) as refused:
        await flyte.backend().signal(event, 2)
    reported = refused.value.data["event"]
    assert (reported.payload, reported.signalled_by, reported.pending) == (1, "alice", False)
    same = await flyte.backend().signal(event, 1)
    assert same.payload == 1


@EVERY
async def test_an_answer_is_reported_before_the_backends_record_has_it(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    flyte.server.model.lag = 3600
    ask(flyte, "q", "str")
    reported = await client.signal("q", "x")
    assert (reported.phase, reported.pending, reported.payload) == (SUCCEEDED, False, "x")
    assert await client.get("q") == reported  # the record lags, and what was reported stays
    assert await client.listing() == [reported]
    assert await client.wait("q") == reported
    assert await client.signal("q", "x") == reported
    with pytest.raises(AlreadySignalled) as refused:
        await client.signal("q", "y")
    assert refused.value.data["event"] == reported


@EVERY
async def test_a_conflict_is_reported_once_the_record_has_caught_up(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = flyte.server.model
    model.lag = 60
    action = ask(flyte, "q", "int")
    event = await found(client, action)
    model.signal_directly(RUN.name, action, 1)
    reads = 0
    details = model.details

    def catching_up(*words: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 3:
            client.harness.pass_time(61)
        return details(*words)

    monkeypatch.setattr(model, "details", catching_up)
    with pytest.raises(AlreadySignalled) as refused:
        await flyte.backend().signal(event, 2)
    assert refused.value.data["event"].payload == 1


@timed(record_delays=(0.0, 0.0))
@EVERY
async def test_a_conflict_with_a_record_that_never_catches_up_is_no_pending_event(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte.server.model.lag = 3600
    action = ask(flyte, "q", "int")
    event = await found(client, action)
    flyte.server.model.signal_directly(RUN.name, action, 1)
    with pytest.raises(AlreadySignalled) as refused:
        await flyte.backend().signal(event, 2)
    reported = refused.value.data["event"]
    assert (reported.phase, reported.pending, reported.payload) == (SUCCEEDED, False, None)


@EVERY
async def test_a_signal_to_a_collected_event_is_judged_by_its_record(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte, "q", "int")
    event = await found(client, action)
    flyte.server.model.signal_directly(RUN.name, action, 1)
    flyte.server.model.collect(RUN.name, action)
    assert (await flyte.backend().signal(event, 1)).payload == 1
    with pytest.raises(AlreadySignalled):
        await flyte.backend().signal(event, 2)


@EVERY
async def test_a_signal_to_what_was_aborted_meanwhile_is_too_late(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    event = await found(client, action)
    flyte.server.model.abort_directly(RUN.name, action, "why")
    with pytest.raises(AlreadyCompleted) as refused:
        await flyte.backend().signal(event, True)
    reported = refused.value.data["event"]
    assert (reported.phase, reported.abort_reason) == (ABORTED, "why")


@EVERY
async def test_a_signal_to_what_timed_out_meanwhile_is_too_late(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte, expires_in=60)
    event = await found(client, action)
    client.harness.pass_time(61)
    with pytest.raises(AlreadyCompleted) as refused:
        await flyte.backend().signal(event, True)
    reported = refused.value.data["event"]
    assert (reported.phase, reported.ended_at) == (TIMED_OUT, event.expires_at)


@pytest.mark.parametrize("release", ["2.0.43", "hosted"])
async def test_a_failed_event_is_reported_as_failed(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    event = await found(client, action)
    flyte.server.model.fail(RUN.name, action)
    with pytest.raises(AlreadyCompleted) as refused:
        await flyte.backend().signal(event, True)
    assert refused.value.data["event"].phase == "FAILED"


@EVERY
async def test_an_event_that_is_gone_is_not_found(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = ask(flyte)
    event = await found(client, action)
    gone = (grpc.StatusCode.NOT_FOUND, "not found")
    for method in ("SignalEvent", "AbortAction", "GetActionDetails"):
        flyte.server.faults.errors[method] = gone
    with pytest.raises(EventNotFound):
        await flyte.backend().signal(event, True)
    with pytest.raises(EventNotFound):
        await flyte.backend().abort(event, None)


async def test_an_unknown_type_is_taken_from_the_backends_error(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte, "q", "float")
    event = await found(client, action)
    with pytest.raises(PayloadTypeMismatch) as refused:
        await flyte.backend().signal(event, 3)  # an int, as for an event whose type is unknown
    assert refused.value.data == {"expectedType": "float"}


@pytest.mark.parametrize("release", ["2.0.27"])
async def test_a_release_without_signals_is_reported_as_unsupported(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    with pytest.raises(UnsupportedByBackend, match=r"2\.0\.28"):
        await client.signal("q", True)


async def test_any_other_rejection_contains_the_backends_message(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.errors["SignalEvent"] = (grpc.StatusCode.INTERNAL, "pq: out of ink")
    with pytest.raises(BackendError) as refused:
        await client.signal("q", True)
    assert refused.value.data == {"grpcStatus": "INTERNAL", "message": "pq: out of ink"}
    assert not refused.value.retryable
    assert flyte.server.calls["SignalEvent"] == 1


@OLD_AND_NEW
async def test_only_a_pending_event_is_aborted(client: BackendClient, flyte: FlyteHarness) -> None:
    for name in ("answered", "aborted", "expired"):
        ask(flyte, name, expires_in=60)
    await client.signal("answered", True)
    await client.abort("aborted", "first")
    client.harness.pass_time(61)
    flyte.server.calls.clear()
    with pytest.raises(AlreadySignalled):
        await client.abort("answered")
    assert (await client.abort("aborted", "second")).abort_reason == "first"
    with pytest.raises(AlreadyCompleted):
        await client.abort("expired")
    assert flyte.server.calls["AbortAction"] == 0


@EVERY
async def test_an_abort_whose_response_is_lost_is_found_recorded(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.unavailable_after["AbortAction"] = 1
    reported = await client.abort("q", "why")
    assert (reported.phase, reported.abort_reason) == (ABORTED, "why")
    assert flyte.server.calls["AbortAction"] == 1


@EVERY
async def test_an_abort_that_did_not_arrive_is_sent_again_while_the_event_is_pending(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.unavailable["AbortAction"] = 2
    assert (await client.abort("q", "why")).abort_reason == "why"
    assert flyte.server.calls["AbortAction"] == 3


@EVERY
async def test_an_abort_that_did_not_arrive_ends_no_event_that_was_answered_meanwhile(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = ask(flyte)
    event = await found(client, action)
    flyte.server.faults.unavailable["AbortAction"] = 1
    flyte.server.model.signal_directly(RUN.name, action, True)
    with pytest.raises(AlreadySignalled):
        await flyte.backend().abort(event, "why")
    assert flyte.server.calls["AbortAction"] == 1
    assert flyte.server.model.action(RUN.name, action).payload is True


async def test_an_abort_that_never_arrives_is_unavailable(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.unavailable["AbortAction"] = 1000
    with pytest.raises(BackendUnavailable):
        await client.abort("q")
    assert (await found(client, "c000001")).pending


@OLD_AND_NEW
async def test_the_outcome_of_a_write_says_whether_it_was_sent(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    action = ask(flyte)
    flyte.server.faults.unavailable["GetActionDetails"] = 1000
    write = client.service.write(Target(RUN, name="q"))
    with pytest.raises(BackendUnavailable):
        await client.service.signal(write, True)
    assert write.describe() == {"outcome": "none", "actionName": None}
    flyte.server.faults.unavailable = {"SignalEvent": 1000}
    write = client.service.write(Target(RUN, name="q"))
    with pytest.raises(BackendUnavailable):
        await client.service.signal(write, True)
    assert write.describe() == {"outcome": "unknown", "actionName": action}


@EVERY
async def test_calls_that_change_nothing_are_made_again_while_the_backend_is_away(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    ask(flyte)
    flyte.server.faults.unavailable = {"ListActions": 4, "GetActionDetails": 4}
    assert await client.get("q") is not None
    flyte.server.faults.unavailable = {"ListActions": 5}
    with pytest.raises(BackendUnavailable):
        await client.get("q")
