from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import grpc
import pytest
from flyteidl2.core import literals_pb2
from flyteidl2.workflow import run_service_pb2 as pb

from flyte_sidecar.backends.flyte.rpc.idl import signal_info
from tests.fake_runservice.actions import Payload, StatusError
from tests.fake_runservice.client import WAIT, GrpcClient, signal_status, status_and_message
from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model

QUEUED, SUCCEEDED, PAUSED = 1, 5, 9
NOT_FOUND = ("NOT_FOUND", "condition action r1-c1 not found")
OTHER = ("FAILED_PRECONDITION", "condition r1-c1 already signalled with a different value")
CRASH = ("INTERNAL", "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))")


def primitive(client: GrpcClient, action: str = "c1") -> literals_pb2.Primitive:
    signal = signal_info(client.details(action))
    assert signal is not None
    return signal.output.scalar.primitive


def test_details_contain_everything_about_a_condition(model: Model, client: GrpcClient) -> None:
    model.ask(
        "r1",
        "note",
        "str",
        prompt="note?",
        description="about note",
        markdown=True,
        expires_in=90.5,
        action="c1",
    )
    found = client.details("c1")
    assert (found.id.name, found.metadata.action_type, found.metadata.parent) == ("c1", 3, "a0")
    assert (found.metadata.funtion_name, found.metadata.condition.name) == ("note", "note")
    assert found.metadata.condition.type == found.condition.type
    condition = found.condition
    assert (condition.name, condition.type.simple, condition.prompt_type) == ("note", 3, 2)
    assert (condition.prompt, condition.description) == ("note?", "about note")
    assert condition.timeout.ToTimedelta() == timedelta(seconds=90.5)
    assert (found.status.phase, found.WhichOneof("result")) == (PAUSED, None)
    assert signal_info(found) is None
    root = client.details("a0")
    assert (root.metadata.action_type, root.status.phase) == (1, 4)
    assert root.task.task_template.id.name == "t"


def test_a_signal_is_checked_in_the_order_of_the_service(model: Model, client: GrpcClient) -> None:
    assert signal_status(client, True) == NOT_FOUND
    message = "signal value must be a concrete bool/int/float/str literal"
    assert signal_status(client, None) == ("INVALID_ARGUMENT", message)
    model.ask("r1", "deploy", action="c1")
    kinds = "signal value type INTEGER does not match declared condition type BOOLEAN"
    assert signal_status(client, 1) == ("INVALID_ARGUMENT", kinds)
    not_one = ("FAILED_PRECONDITION", "action r1-a0 is not a condition")
    assert signal_status(client, True, "a0") == not_one
    assert signal_status(client, True) == "OK"
    assert signal_status(client, True) == "OK"
    assert signal_status(client, False) == OTHER
    assert signal_status(client, "x") == OTHER


def test_an_int_is_rejected_by_a_float_condition(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "threshold", "float", action="c1")
    kinds = "signal value type INTEGER does not match declared condition type FLOAT"
    assert signal_status(client, 3) == ("INVALID_ARGUMENT", kinds)
    assert signal_status(client, 3.0) == "OK"


def test_an_answered_condition_succeeds_only_since_2_0_43(
    model: Model, client: GrpcClient, clock: Clock, release: str
) -> None:
    model.ask("r1", "deploy", action="c1")
    clock.pass_time(2.0067)
    client.signal("c1", True, by="alice")
    found = client.details("c1")
    signal = signal_info(found)
    assert signal is not None
    assert signal.output.scalar.primitive.boolean is True
    assert signal.signalled_by.user.id.subject == "alice"
    if release == "2.0.43":
        assert (found.status.phase, found.status.duration_ms) == (SUCCEEDED, 2257)
        assert found.status.end_time.ToDatetime() == clock().replace(tzinfo=None)
    else:
        assert found.status.phase == PAUSED
        assert not found.status.HasField("end_time")


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("int", 2**63 - 1),
        ("int", -(2**63)),
        ("float", math.inf),
        ("float", -0.0),
        ("str", ""),
        ("str", "a\0b 💩"),
        ("str", "x" * 3_000_000),
        ("bool", False),
    ],
)
def test_every_payload_is_returned_unchanged(
    model: Model, client: GrpcClient, expected: str, value: Payload
) -> None:
    model.ask("r1", "e", expected, action="c1")
    client.signal("c1", value)
    found = primitive(client)
    field = found.WhichOneof("value")
    assert field is not None
    assert repr(getattr(found, field)) == repr(value)


def test_nan_equals_nan_when_a_signal_is_repeated(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "e", "float", action="c1")
    assert signal_status(client, math.nan) == "OK"
    assert signal_status(client, math.nan) == "OK"
    assert signal_status(client, 1.0) == OTHER
    assert math.isnan(primitive(client).float_value)


def test_one_of_20_concurrent_signals_wins(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "e", "int", action="c1")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda value: signal_status(client, value), range(20)))
    assert (answers.count("OK"), answers.count(OTHER)) == (1, 19)
    assert primitive(client).integer == answers.index("OK")


def test_a_queued_condition_accepts_a_signal_and_is_never_paused(
    model: Model, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1", queued=True)
    assert client.details("c1").status.phase == QUEUED
    client.signal("c1", True)
    found = client.details("c1")
    assert (found.status.phase, found.status.start_time.nanos) == (SUCCEEDED, 0)
    model.reconcile("r1", "c1")
    assert client.details("c1").status.phase == SUCCEEDED


def test_an_unknown_action_or_run_is_not_found(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy")
    with pytest.raises(grpc.RpcError) as caught:
        client.details("zz")
    assert status_and_message(caught.value) == ("NOT_FOUND", "action not found: action not found")
    with pytest.raises(grpc.RpcError) as caught:
        client.abort("zz")
    assert status_and_message(caught.value) == ("NOT_FOUND", "action not found: zz")
    with pytest.raises(grpc.RpcError) as caught:
        client.stub.GetRunDetails(pb.GetRunDetailsRequest(run_id={"name": "r7"}), timeout=WAIT)
    assert status_and_message(caught.value) == ("NOT_FOUND", "run not found: //r7")


def test_a_request_without_its_run_crashes_the_handler(client: GrpcClient) -> None:
    signal = pb.SignalEventRequest(action_id={"name": "c1"}, payload={"bool_value": True})
    with pytest.raises(grpc.RpcError) as caught:
        client.stub.SignalEvent(signal, timeout=WAIT)
    assert status_and_message(caught.value) == ("UNAVAILABLE", "unexpected EOF")
    get = pb.GetActionDetailsRequest(action_id={"name": "c1"})
    with pytest.raises(grpc.RpcError) as caught:
        client.stub.GetActionDetails(get, timeout=WAIT)
    assert status_and_message(caught.value) == CRASH


def test_the_record_can_lag_behind_the_signal(
    model: Model, client: GrpcClient, clock: Clock
) -> None:
    model.ask("r1", "deploy", action="c1")
    model.lag = 2
    assert [signal_status(client, value) for value in (True, True, False)] == ["OK", "OK", OTHER]
    assert signal_info(client.details("c1")) is None
    clock.pass_time(2)
    assert signal_info(client.details("c1")) is not None


@pytest.mark.parametrize("release", ["2.0.43"])
def test_the_phase_can_lag_behind_the_record(
    model: Model, client: GrpcClient, clock: Clock
) -> None:
    model.ask("r1", "deploy", action="c1")
    model.phase_lag = 2
    client.signal("c1", True)
    found = client.details("c1")
    assert found.status.phase == PAUSED
    assert signal_info(found) is not None
    clock.pass_time(2)
    assert client.details("c1").status.phase == SUCCEEDED


def test_a_signal_is_routed_only_by_run_and_id(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1", project="other")
    assert signal_status(client, True, org="acme", parent="nope") == "OK"
    assert model.action("r1", "c1", project="other").payload is True


def test_details_contain_the_run_as_it_was_requested(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1")
    assert client.details("c1", org="acme").id.run.org == "acme"


@pytest.mark.parametrize("release", ["hosted"])
def test_a_hosted_backend_routes_by_org_and_parent(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1", org="acme")
    assert signal_status(client, True) == NOT_FOUND
    assert signal_status(client, True, org="acme", parent="nope") == NOT_FOUND
    assert signal_status(client, True, org="acme") == "OK"
    assert model.action("r1", "c1", org="acme").phase == "SUCCEEDED"


@pytest.mark.parametrize("release", ["2.0.27"])
def test_signals_are_unimplemented_before_2_0_28(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1")
    status, _ = error_of(lambda: client.signal("c1", True))
    assert status == "UNIMPLEMENTED"


def test_direct_signals_and_aborts_behave_like_calls(model: Model) -> None:
    model.ask("r1", "deploy", action="c1")
    model.signal_directly("r1", "c1", True, by="bob")
    assert model.action("r1", "c1").signalled_by == "bob"
    with pytest.raises(StatusError) as caught:
        model.signal_directly("r1", "c1", False)
    assert (caught.value.status, caught.value.message) == OTHER
    model.abort_directly("r1", "c1", "oops")
    assert model.action("r1", "c1").abort_reason == "oops"


def error_of(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return status_and_message(caught.value)
