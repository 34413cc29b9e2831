from __future__ import annotations

from typing import Any

import grpc
import pytest

from flyte_sidecar.backends.flyte.rpc.idl import signal_info
from tests.fake_runservice.client import GrpcClient, status_and_message
from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

PAUSED, SUCCEEDED, TIMED_OUT = 9, 5, 8
ONLY_PAUSED = {"function": "VALUE_IN", "field": "PHASE", "values": ["9"]}


def named(text: str) -> dict[str, Any]:
    return {"function": "CONTAINS_CASE_INSENSITIVE", "field": "NAME", "values": [text]}


def phase(row: Any) -> int:
    return int(row.action.status.phase)


def test_a_watch_starts_with_all_actions_in_unordered_pages(
    model: Model, server: Server, client: GrpcClient
) -> None:
    ids = ["a0"] + [model.ask("r1", "deploy") for _ in range(249)]
    server.service.page_size = 100
    watch = client.watch()
    pages = [list(next(watch)) for _ in range(3)]
    rows = [ids[:100], ["a0", *ids[100:200]], ["a0", *ids[200:]]]  # the parent comes again
    assert [sorted(page) for page in pages] == rows
    assert [page for page in pages if page == sorted(page)] == []


def test_a_watch_reports_conditions_since_2_0_43(
    model: Model, client: GrpcClient, release: str
) -> None:
    model.ask("r1", "count", "int", action="c1", group="g1")
    first = next(client.watch())
    metadata = first["c1"].action.metadata
    assert (metadata.parent, metadata.group, metadata.funtion_name) == ("a0", "g1", "count")
    condition = (metadata.condition.name, metadata.condition.type.simple)
    assert condition == (("count", 1) if release == "2.0.43" else ("", 0))
    assert (first["a0"].action.metadata.task.short_name, metadata.action_type) == ("t", 0)
    assert dict(first["a0"].children_phase_counts) == {PAUSED: 1}


def test_changes_are_sent_with_their_ancestors(model: Model, client: GrpcClient) -> None:
    task = model.task("r1", "work", action="b1")
    model.ask("r1", "deploy", parent=task, action="c1")
    watch = client.watch()
    assert set(next(watch)) == {"a0", "b1", "c1"}
    client.abort("c1")
    change = next(watch)
    assert set(change) == {"a0", "b1", "c1"}
    assert dict(change["a0"].children_phase_counts) == {4: 1, PAUSED: 0, 7: 1}


def test_an_answer_is_sent_since_2_0_43(model: Model, client: GrpcClient, release: str) -> None:
    model.ask("r1", "deploy", action="c1")
    watch = client.watch()
    next(watch)
    client.signal("c1", True)
    assert phase(next(watch)["c1"]) == PAUSED
    if release == "2.0.43":
        assert phase(next(watch)["c1"]) == SUCCEEDED
    else:
        client.abort("c1")
        assert phase(next(watch)["c1"]) == 7


def test_a_new_condition_is_sent_more_than_once(model: Model, client: GrpcClient) -> None:
    model.task("r1", "work", action="b1")
    watch = client.watch()
    next(watch)
    model.ask("r1", "deploy", action="c1")
    phases = [{name: phase(row) for name, row in next(watch).items()} for _ in range(3)]
    assert phases == [{"a0": 4, "c1": 1}, {"a0": 4}, {"a0": 4, "c1": PAUSED}]


def test_an_action_that_stops_matching_is_sent_once_more(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", action="c1")
    model.ask("r1", "other", action="c2")
    watch = client.watch("r1", ONLY_PAUSED)
    assert set(next(watch)) == {"a0", "c1", "c2"}
    client.abort("c1")
    change = next(watch)
    assert {name: row.meets_filter for name, row in change.items()} == {"a0": True, "c1": False}
    client.abort("c1")
    client.abort("c2")
    while "c2" not in (change := next(watch)):
        assert set(change) == {"a0"}
    assert {name: row.meets_filter for name, row in change.items()} == {"a0": False, "c2": False}


def test_the_name_filter_matches_ids_of_conditions_and_functions_of_tasks(
    model: Model, client: GrpcClient
) -> None:
    model.ask("r1", "deploy", action="c1")
    model.task("r1", "Deploy", action="b1")
    assert set(next(client.watch("r1", named("C1")))) == {"a0", "c1"}
    assert set(next(client.watch("r1", named("deploy")))) == {"a0", "b1"}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({**ONLY_PAUSED, "values": ["PAUSED"]}, "invalid phase value: PAUSED"),
        ({**ONLY_PAUSED, "function": 0}, "function EQUAL is not supported for filter PHASE"),
        (
            {**ONLY_PAUSED, "field": "phase"},
            "function VALUE_IN is not supported for filter phase",
        ),
    ],
)
def test_other_filters_are_rejected(
    model: Model, client: GrpcClient, chosen: dict[str, Any], message: str
) -> None:
    model.ask("r1", "deploy")
    with pytest.raises(grpc.RpcError) as caught:
        next(client.watch("r1", chosen))
    assert status_and_message(caught.value) == ("INVALID_ARGUMENT", message)


def test_a_watch_of_an_unknown_run_waits_for_the_run(
    model: Model, server: Server, client: GrpcClient
) -> None:
    watch = client.watch("r2")
    while not server.open_streams["WatchActions"]:
        client.list_actions()
    model.ask("r2", "deploy", action="c1")
    assert set(next(watch)) == {"a0"}
    assert set(next(watch)) == {"a0", "c1"}


def test_a_run_whose_child_sorts_before_its_parent_cannot_be_watched(
    model: Model, client: GrpcClient, clock: Clock
) -> None:
    model.task("r1", "work", action="b2")
    model.ask("r1", "deploy", parent="b2", action="b1")
    message = "parent node [b2] not found for action [b1]"
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as caught:
            next(client.watch())
        assert status_and_message(caught.value) == ("UNKNOWN", message)
    clock.pass_time(1)
    model.task("r2", "work", action="b2")
    clock.pass_time(1)
    model.ask("r2", "deploy", parent="b2", action="b1")
    assert set(next(client.watch("r2"))) == {"a0", "b1", "b2"}


def test_a_missing_parent_does_not_break_a_watch(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", parent="zz", action="c1")
    assert set(next(client.watch())) == {"a0", "c1"}


def test_a_watch_of_details_starts_with_the_current_state(
    model: Model, client: GrpcClient, release: str
) -> None:
    model.ask("r1", "note", "str", action="c1")
    watch = client.watch_details("c1")
    first = next(watch).details
    assert first == client.details("c1")
    client.signal("c1", "x")
    if release == "2.0.43":
        twice = [next(watch).details, next(watch).details]
        assert twice == [client.details("c1")] * 2
        signal = signal_info(twice[0])
        assert signal is not None
        assert signal.output.scalar.primitive.string_value == "x"
    else:
        assert next(watch).details == first
        client.abort("c1")
        assert next(watch).details.WhichOneof("result") == "abort_info"


def test_details_of_an_unknown_action_cannot_be_watched(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy")
    with pytest.raises(grpc.RpcError) as caught:
        next(client.watch_details("zz"))
    message = "failed to get action details: not_found: action not found: action not found"
    assert status_and_message(caught.value) == ("NOT_FOUND", message)


@pytest.mark.parametrize("release", ["2.0.43"])
def test_watchers_receive_a_timeout(model: Model, client: GrpcClient, clock: Clock) -> None:
    model.ask("r1", "slow", action="c1", expires_in=4)
    actions, details = client.watch(), client.watch_details("c1")
    next(actions), next(details)
    clock.pass_time(5)
    assert phase(next(actions)["c1"]) == TIMED_OUT
    assert next(details).details.status.phase == TIMED_OUT


@pytest.mark.parametrize("release", ["2.0.43"])
def test_a_watch_of_details_receives_the_answer_before_the_phase(
    model: Model, client: GrpcClient, clock: Clock
) -> None:
    model.ask("r1", "deploy", action="c1")
    model.lag = model.phase_lag = 1
    watch = client.watch_details("c1")
    next(watch)
    client.signal("c1", True)
    clock.pass_time(1)
    found = next(watch).details
    assert found.status.phase == PAUSED
    assert signal_info(found) is not None
    clock.pass_time(1)
    assert next(watch).details.status.phase == SUCCEEDED


def test_a_cancelled_watch_is_closed(model: Model, server: Server, client: GrpcClient) -> None:
    model.ask("r1", "deploy")
    watch = client.watch()
    next(watch)
    assert server.open_streams["WatchActions"] == 1
    watch.call.cancel()
    while server.open_streams["WatchActions"]:
        client.list_actions()
