from __future__ import annotations

from tests.fake_runservice.client import GrpcClient, signal_status
from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model

FAILED, ABORTED, TIMED_OUT, PAUSED = 6, 7, 8, 9
NOT_FOUND = ("NOT_FOUND", "condition action r1-c1 not found")
COMPLETED = ("FAILED_PRECONDITION", "condition r1-c1 already completed")


def test_a_condition_past_its_deadline_is_completed_and_2_0_43_records_it(
    model: Model, client: GrpcClient, clock: Clock, release: str
) -> None:
    model.ask("r1", "slow", action="c1", expires_in=4)
    clock.pass_time(3.7)
    assert client.details("c1").status.phase == PAUSED
    clock.pass_time(0.05)  # the deadline counts from the whole second
    found = client.details("c1")
    if release == "2.0.43":
        assert (found.status.phase, found.status.duration_ms) == (TIMED_OUT, 4000)
    else:
        assert found.status.phase == PAUSED
        assert not found.status.HasField("end_time")
    assert signal_status(client, True) == COMPLETED


def test_a_signalled_condition_does_not_time_out(
    model: Model, client: GrpcClient, clock: Clock
) -> None:
    model.ask("r1", "slow", action="c1", expires_in=4)
    client.signal("c1", True)
    before = client.details("c1")
    clock.pass_time(10)
    assert client.details("c1") == before


def test_an_abort_ends_a_condition_at_once(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1")
    client.abort("c1", "not needed")
    found = client.details("c1")
    assert (found.status.phase, found.abort_info.reason) == (ABORTED, "not needed")
    assert found.status.HasField("end_time")
    assert signal_status(client, True) == NOT_FOUND
    client.abort("c1")
    assert client.details("c1").abort_info.reason == "User requested abort"


def test_an_abort_hides_an_answer(
    model: Model, client: GrpcClient, clock: Clock, release: str
) -> None:
    model.ask("r1", "count", "int", action="c1")
    client.signal("c1", 7)
    answered = clock()
    clock.pass_time(5)
    client.abort("c1", "oops")
    found = client.details("c1")
    assert (found.status.phase, found.WhichOneof("result")) == (ABORTED, "abort_info")
    ended = answered if release == "2.0.43" else clock()
    assert found.status.end_time.ToDatetime() == ended.replace(tzinfo=None)


def test_a_collected_condition_rejects_signals_and_keeps_its_details(
    model: Model, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1")
    client.signal("c1", True)
    before = client.details("c1")
    model.collect("r1", "c1")
    assert signal_status(client, True) == NOT_FOUND
    assert client.details("c1") == before


def test_a_failure_completes_a_condition(model: Model, client: GrpcClient, release: str) -> None:
    model.ask("r1", "deploy", action="c1")
    model.fail("r1", "c1")
    assert signal_status(client, True) == COMPLETED
    phase = client.details("c1").status.phase
    assert phase == (FAILED if release == "2.0.43" else PAUSED)
