from __future__ import annotations

import pytest

from flyte_sidecar.backends.flyte.rpc.idl import signal_info
from tests.fake_runservice.client import BY_CREATION, GrpcClient, signal_status
from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

SUCCEEDED, FAILED, ABORTED, TIMED_OUT, PAUSED = 5, 6, 7, 8, 9
OLD = pytest.mark.parametrize("release", ["2.0.28", "2.0.42"])


def phases(client: GrpcClient) -> dict[str, int]:
    found = client.list_actions(sort_by=BY_CREATION)
    return {row.id.name: row.status.phase for row in found.actions if row.id.name != "a0"}


@OLD
def test_conditions_that_ended_before_an_upgrade_stay_paused(
    model: Model, server: Server, client: GrpcClient, clock: Clock
) -> None:
    for action in ("answered", "failed", "aborted", "open"):
        model.ask("r1", action, action=action)
    model.ask("r1", "late", action="late", expires_in=4)
    client.signal("answered", True, by="alice")
    model.fail("r1", "failed")
    client.abort("aborted")
    clock.pass_time(10)
    server.upgrade("2.0.43")
    clock.pass_time(10)
    found = phases(client)
    assert found.pop("aborted") == ABORTED
    assert found == dict.fromkeys(("answered", "failed", "late", "open"), PAUSED)
    answered = client.details("answered")
    assert answered.status.phase == PAUSED
    assert signal_info(answered) is not None
    for action in ("failed", "late"):
        assert signal_info(client.details(action)) is None
        assert signal_status(client, True, action)[1] == f"condition r1-{action} already completed"


@OLD
def test_ends_after_an_upgrade_are_recorded(
    model: Model, server: Server, client: GrpcClient, clock: Clock
) -> None:
    for action in ("answered", "failed"):
        model.ask("r1", action, action=action)
    model.ask("r1", "late", action="late", expires_in=60)
    model.lag = 2
    client.signal("answered", True)  # what the cluster took is recorded by the next release
    server.upgrade("2.0.43")
    model.fail("r1", "failed")
    clock.pass_time(100)
    assert phases(client) == {"answered": SUCCEEDED, "failed": FAILED, "late": TIMED_OUT}


@pytest.mark.parametrize("release", ["2.0.42"])
def test_collection_after_an_upgrade_records_earlier_ends(
    model: Model, server: Server, client: GrpcClient, clock: Clock
) -> None:
    for action in ("answered", "failed", "open"):
        model.ask("r1", action, action=action)
    model.ask("r1", "late", action="late", expires_in=4)
    client.signal("answered", True)
    model.fail("r1", "failed")
    clock.pass_time(10)
    everything = ("answered", "failed", "open", "late")
    server.upgrade("2.0.43")
    for action in everything:
        model.collect("r1", action)
    assert phases(client) == dict(
        zip(everything, (SUCCEEDED, FAILED, ABORTED, TIMED_OUT), strict=True)
    )
    ended = client.details("answered").status.end_time.ToDatetime()
    assert ended == clock().replace(tzinfo=None)


@OLD
def test_conditions_collected_before_an_upgrade_stay_paused(
    model: Model, server: Server, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1")
    client.signal("c1", True)
    model.collect("r1", "c1")
    server.upgrade("2.0.43")
    assert phases(client) == {"c1": PAUSED}
