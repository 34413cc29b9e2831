from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from flyteidl2.workflow import run_service_pb2 as pb

from flyte_sidecar.backends.flyte.rpc.idl import signal_info
from tests.conftest import ROOT, needs, run
from tests.fake_runservice.client import BY_CREATION, WAIT, GrpcClient, run_id, status_and_message
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server


@pytest.fixture
def release() -> str:
    """Faults do not depend on the release."""
    return "2.0.43"


def status(call: Callable[[], object]) -> str:
    try:
        call()
    except grpc.RpcError as error:
        return status_and_message(error)[0]
    return "OK"


def test_calls_can_fail_before_they_are_executed(
    model: Model, server: Server, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1")
    server.faults.unavailable["SignalEvent"] = 2
    found = [status(lambda: client.signal("c1", True)) for _ in range(2)]
    assert found == ["UNAVAILABLE", "UNAVAILABLE"]
    assert model.action("r1", "c1").payload is None
    assert status(lambda: client.signal("c1", True)) == "OK"


def test_a_response_can_be_lost_after_the_execution(
    model: Model, server: Server, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1")
    server.faults.unavailable_after["SignalEvent"] = 1
    assert status(lambda: client.signal("c1", True)) == "UNAVAILABLE"
    assert model.action("r1", "c1").payload is True
    assert status(lambda: client.signal("c1", True)) == "OK"


def test_a_method_can_always_fail(server: Server, client: GrpcClient) -> None:
    server.faults.errors["ListActions"] = (grpc.StatusCode.PERMISSION_DENIED, "not yours")
    server.faults.unimplemented.add("ListRuns")
    with pytest.raises(grpc.RpcError) as caught:
        client.list_actions()
    assert status_and_message(caught.value) == ("PERMISSION_DENIED", "not yours")
    assert status(client.runs) == "UNIMPLEMENTED"


def test_a_call_can_be_cancelled_before_or_after_its_execution(
    model: Model, server: Server, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1")
    request = pb.SignalEventRequest(
        action_id={"run": run_id("r1"), "name": "c1"}, payload={"bool_value": True}
    )
    server.faults.delay["SignalEvent"] = WAIT
    call = client.stub.SignalEvent.future(request)
    while not server.calls["SignalEvent"]:
        client.list_actions()
    call.cancel()
    assert model.action("r1", "c1").payload is None
    server.faults.delay.clear()
    server.faults.delay_after["SignalEvent"] = WAIT
    call = client.stub.SignalEvent.future(request)
    while model.action("r1", "c1").payload is None:
        client.list_actions()
    assert not call.done()
    call.cancel()


def test_open_watches_can_be_dropped_or_broken(
    model: Model, server: Server, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1")
    for end, expected in (
        (server.faults.drop_streams, "UNAVAILABLE"),
        (server.faults.break_streams, "UNKNOWN"),
    ):
        actions, details = client.watch(), client.watch_details("c1")
        next(actions), next(details)
        end()
        assert (status(actions.__next__), status(details.__next__)) == (expected, expected)
    assert set(next(client.watch())) == {"a0", "c1"}


def test_watches_can_lose_changes(model: Model, server: Server, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1")
    server.faults.lose_updates = True
    watch = client.watch()
    next(watch)
    client.abort("c1", "never heard of")
    client.list_actions()
    server.faults.lose_updates = False
    model.ask("r1", "deploy", action="c2")
    assert set(next(watch)) == {"a0", "c2"}


def test_rows_can_move_between_two_pages(model: Model, server: Server, client: GrpcClient) -> None:
    for action in ("b1", "b2"):
        model.ask("r1", "deploy", action=action)
    model.ask("r1", "deploy", action="b0", queued=True)
    server.faults.shift = lambda: model.reconcile("r1", "b0")
    assert client.ids(limit=2, sort_by=BY_CREATION) == ["a0", "b1"]
    assert client.ids(limit=2, token="2", sort_by=BY_CREATION) == ["b1", "b2"]


def test_the_server_reports_its_calls(model: Model, server: Server, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1")
    client.signal("c1", True, by="alice")
    status(lambda: client.stub.CreateRun(pb.CreateRunRequest(), timeout=WAIT))
    assert server.calls == {"SignalEvent": 1, "CreateRun": 1}
    method, request, metadata = server.requests[0]
    assert (method, request.action_id.name) == ("SignalEvent", "c1")
    assert metadata["x-amzn-oidc-identity"] == "alice"


def test_methods_that_events_do_not_need_are_unimplemented(client: GrpcClient) -> None:
    assert status(lambda: client.stub.CreateRun(pb.CreateRunRequest())) == "UNIMPLEMENTED"
    watched = client.stub.WatchRuns(pb.WatchRunsRequest())
    assert status(watched.__next__) == "UNIMPLEMENTED"


def test_a_server_restarts_on_its_port(model: Model, server: Server, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1")
    for _ in range(5):
        endpoint = server.endpoint
        watch = client.watch()
        next(watch)
        server.stop()
        assert status(watch.__next__) == "UNAVAILABLE"
        assert status(client.list_actions) == "UNAVAILABLE"
        server.start()
        assert server.endpoint == endpoint
        request = pb.ListActionsRequest(run_id=run_id("r1"))
        assert client.stub.ListActions(request, timeout=WAIT, wait_for_ready=True).actions
    assert server.open_streams["WatchActions"] == 0


def test_a_server_can_use_tls(model: Model, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    done = run(
        *(needs("openssl"), "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        env={},
    )
    assert done.returncode == 0, done.stderr
    model.ask("r1", "deploy", action="c1")
    with Server(model, tls=(key.read_bytes(), certificate.read_bytes())) as server:
        client = GrpcClient(server.endpoint, grpc.ssl_channel_credentials(certificate.read_bytes()))
        with client.channel:
            assert client.ids(sort_by=BY_CREATION) == ["a0", "c1"]


@pytest.mark.posix
def test_the_process_can_be_killed_and_restarted(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(json.dumps([{"run": "r1", "name": "deploy", "action": "c1"}]))
    port = "0"
    for _ in range(2):
        arguments = [sys.executable, "-m", "tests.fake_runservice", "--release", "2.0.28"]
        arguments += ["--port", port, "--state", str(state)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(arguments, cwd=ROOT, text=True, **pipes) as process:
            try:
                assert process.stdout is not None
                endpoint = process.stdout.readline().strip()
                client = GrpcClient(endpoint)
                with client.channel:
                    client.signal("c1", True)
                    found = signal_info(client.details("c1"))
                    assert found is not None
                    assert found.output.scalar.primitive.boolean
                    process.send_signal(signal.SIGKILL)
                    assert status(client.list_actions) == "UNAVAILABLE"
            finally:
                process.kill()
        port = endpoint.rpartition(":")[2]
    assert port != "0"
