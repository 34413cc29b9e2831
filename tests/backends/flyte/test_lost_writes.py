"""Writes whose response is lost: none is reported as rejected unless that is certain."""

from __future__ import annotations

import asyncio
import threading
from itertools import repeat

import pytest
from flyteidl2.workflow.run_service_pb2 import GetActionDetailsResponse
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.rpc import call_limiter
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import (
    AlreadySignalled,
    BackendError,
    BackendUnavailable,
    EventNotFound,
    PayloadTypeMismatch,
    PermissionDenied,
    SidecarError,
    Unauthenticated,
    UnsupportedByBackend,
)
from flyte_sidecar.events.model import ABORTED, Event, Target
from tests.backends.flyte.scenarios import EVERY, ask, until
from tests.contract.flyte import FAST, FlyteHarness
from tests.contract.harness import RUN, BackendClient, settle
from tests.fake_runservice.hostile import executed, held, meanwhile, respond, served, status

REJECTIONS = (
    *("UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "UNIMPLEMENTED", "INVALID_ARGUMENT"),
    *("OUT_OF_RANGE", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "INTERNAL", "DATA_LOSS"),
)
every_rejection = pytest.mark.parametrize("rejection", REJECTIONS)
AWAY = status("UNAVAILABLE")
LOST = executed(AWAY)


@pytest.fixture
def timing() -> Timing:
    return replace(FAST, retry_delay=0.0, record_delays=(0.0, 0.0))


async def asked(client: BackendClient, flyte: FlyteHarness, declared: str = "bool") -> Event:
    """Return an event as a write to it finds it."""
    event = await client.get(action_name=ask(flyte, "q", declared))
    assert event is not None
    return event


# Signals.


@every_rejection
async def test_a_signal_that_was_lost_and_then_rejected_is_found_to_stand(
    client: BackendClient, flyte: FlyteHarness, rejection: str
) -> None:
    ask(flyte)
    flyte.server.hostile.script("SignalEvent", [LOST, status(rejection)])
    assert (await client.signal("q", True)).payload is True


@every_rejection
async def test_a_signal_that_was_lost_and_then_rejected_is_of_unknown_outcome_if_unread(
    client: BackendClient, flyte: FlyteHarness, rejection: str
) -> None:
    event = await asked(client, flyte)
    flyte.server.hostile.script("SignalEvent", [LOST, status(rejection)])
    flyte.server.hostile.script("GetActionDetails", repeat(status("UNAUTHENTICATED")))
    write = client.service.write(Target(RUN, action_name=event.action_name))
    with pytest.raises(BackendUnavailable, match=rejection) as failed:
        await write.perform(flyte.backend().signal(event, True))
    assert {**write.describe(), **failed.value.data}["outcome"] == "unknown"
    write.end()


@every_rejection
async def test_a_signal_that_may_have_been_lost_is_never_certain_to_be_rejected(
    client: BackendClient, flyte: FlyteHarness, rejection: str
) -> None:
    ask(flyte)
    flyte.server.hostile.script("SignalEvent", [AWAY, status(rejection)])
    with pytest.raises(SidecarError) as failed:
        await client.signal("q", True)
    assert failed.value.data["outcome"] == "unknown"
    assert failed.value.data["grpcStatus"] == rejection


@pytest.mark.parametrize(
    ("rejection", "error"),
    [
        ("UNAUTHENTICATED", Unauthenticated),
        ("PERMISSION_DENIED", PermissionDenied),
        ("INVALID_ARGUMENT", BackendError),
        ("OUT_OF_RANGE", BackendError),
        ("UNIMPLEMENTED", UnsupportedByBackend),
        ("NOT_FOUND", EventNotFound),
    ],
)
async def test_the_rejection_of_a_first_attempt_is_certain(
    client: BackendClient, flyte: FlyteHarness, rejection: str, error: type[SidecarError]
) -> None:
    ask(flyte)
    flyte.server.hostile.script("SignalEvent", [status(rejection)])
    with pytest.raises(error) as failed:
        await client.signal("q", True)
    assert failed.value.data.get("outcome", "none") == "none"
    assert flyte.server.calls["SignalEvent"] == 0


async def test_a_signal_that_was_lost_to_another_answer_is_judged_by_that(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await asked(client, flyte, "int")

    def answered() -> None:
        flyte.server.model.signal_directly(RUN.name, event.action_name, 1)

    rejected = meanwhile(answered, status("PERMISSION_DENIED"))
    flyte.server.hostile.script("SignalEvent", [AWAY, rejected])
    with pytest.raises(AlreadySignalled) as failed:
        await flyte.backend().signal(event, 2)
    assert failed.value.data["event"].payload == 1


async def test_a_signal_that_was_lost_is_of_unknown_outcome_if_the_record_lacks_the_answer(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await asked(client, flyte)
    details = GetActionDetailsResponse()
    details.details.id.name = event.action_name
    details.details.metadata.condition.name = "q"
    details.details.status.phase = 5  # succeeded
    flyte.server.hostile.script("SignalEvent", [LOST, status("UNIMPLEMENTED")])
    flyte.server.hostile.script("GetActionDetails", repeat(respond(details.SerializeToString())))
    with pytest.raises(BackendUnavailable, match="UNIMPLEMENTED"):
        await flyte.backend().signal(event, True)


async def test_a_lost_signal_of_a_wrong_type_is_a_mismatch(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await asked(client, flyte, "float")
    flyte.server.hostile.script("SignalEvent", [AWAY])
    with pytest.raises(PayloadTypeMismatch):
        await flyte.backend().signal(event, 3)


async def test_a_lost_signal_to_an_event_that_is_gone_is_not_found(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await asked(client, flyte)
    flyte.server.hostile.script("SignalEvent", [AWAY, status("NOT_FOUND")])
    flyte.server.hostile.script("GetActionDetails", repeat(status("NOT_FOUND")))
    with pytest.raises(EventNotFound):
        await flyte.backend().signal(event, True)


# Aborts.


@EVERY
@pytest.mark.parametrize("unread", ["UNAVAILABLE", "UNAUTHENTICATED", "INTERNAL"])
async def test_an_abort_that_was_lost_is_not_retried_until_the_event_was_read(
    client: BackendClient, flyte: FlyteHarness, unread: str
) -> None:
    event = await asked(client, flyte)

    def answered() -> None:
        flyte.server.model.signal_directly(RUN.name, event.action_name, True)

    flyte.server.hostile.script("AbortAction", [meanwhile(answered, AWAY)])
    flyte.server.hostile.script("GetActionDetails", repeat(status(unread)))
    write = client.service.write(Target(RUN, action_name=event.action_name))
    with pytest.raises(BackendUnavailable) as failed:
        await write.perform(flyte.backend().abort(event, "why"))
    assert {**write.describe(), **failed.value.data}["outcome"] == "unknown"
    write.end()
    assert flyte.server.calls["AbortAction"] == 0
    assert flyte.server.model.action(RUN.name, event.action_name).payload is True


@every_rejection
async def test_an_abort_that_arrived_late_and_was_then_rejected_is_found_to_stand(
    client: BackendClient, flyte: FlyteHarness, rejection: str
) -> None:
    event = await asked(client, flyte)

    def aborted() -> None:
        flyte.server.model.abort_directly(RUN.name, event.action_name, "why")

    flyte.server.hostile.script("AbortAction", [AWAY, meanwhile(aborted, status(rejection))])
    current = await flyte.backend().abort(event, "why")
    assert (current.phase, current.abort_reason) == (ABORTED, "why")


@every_rejection
async def test_an_abort_that_may_have_been_lost_is_never_certain_to_be_rejected(
    client: BackendClient, flyte: FlyteHarness, rejection: str
) -> None:
    ask(flyte)
    flyte.server.hostile.script("AbortAction", [AWAY, status(rejection)])
    with pytest.raises(SidecarError) as failed:
        await client.abort("q", "why")
    assert failed.value.data["outcome"] == "unknown"
    assert failed.value.data["grpcStatus"] == rejection


# Clients that no longer wait.


@pytest.mark.parametrize("method", ["SignalEvent", "AbortAction"])
async def test_a_write_is_not_retried_once_its_request_was_cancelled(
    client: BackendClient, flyte: FlyteHarness, method: str
) -> None:
    event = await asked(client, flyte)
    gate = threading.Event()
    flyte.server.hostile.script(method, [held(gate, AWAY)])
    write = client.service.write(Target(RUN, action_name=event.action_name))
    backend = flyte.backend()
    work = backend.signal(event, True) if method == "SignalEvent" else backend.abort(event, None)
    request = asyncio.ensure_future(write.perform(work))
    await until(lambda: flyte.server.hostile.calls[method] == 1)
    request.cancel()
    gate.set()
    with pytest.raises(BackendUnavailable):
        await request
    write.end()
    assert flyte.server.calls[method] == 0
    assert flyte.server.model.action(RUN.name, event.action_name).phase == "PAUSED"


@pytest.mark.parametrize("method", ["SignalEvent", "AbortAction"])
async def test_a_write_that_waits_behind_others_is_not_sent_once_its_request_was_cancelled(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(call_limiter, "MAX_WRITES", 1)
    first, second = await asked(client, flyte), await asked(client, flyte)
    gate = threading.Event()
    flyte.server.hostile.script(method, [held(gate, served())])
    backend = flyte.backend()
    requests = []
    for event in (first, second):
        write = client.service.write(Target(RUN, action_name=event.action_name))
        signals = method == "SignalEvent"
        work = backend.signal(event, True) if signals else backend.abort(event, None)
        requests.append(asyncio.ensure_future(write.perform(work)))
    await until(lambda: flyte.server.hostile.calls[method] == 1)
    requests[1].cancel()
    await settle()
    gate.set()
    assert not (await requests[0]).pending
    with pytest.raises(asyncio.CancelledError):
        await requests[1]
    assert flyte.server.model.action(RUN.name, second.action_name).phase == "PAUSED"
