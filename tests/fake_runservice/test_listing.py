from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from flyteidl2.workflow import run_service_pb2 as pb

from tests.fake_runservice.client import BY_CREATION, WAIT, GrpcClient, status_and_message
from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model

NAMED = {"field": "function_name", "values": ["deploy"]}


def names(found: Any) -> list[str]:
    return [run.action.id.run.name for run in found.runs]


def test_a_listed_action_contains_neither_name_nor_type(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", group="g1", action="c1")
    row = client.list_actions(sort_by=BY_CREATION).actions[1]
    assert (row.id.name, row.metadata.parent, row.metadata.group) == ("c1", "a0", "g1")
    assert row.metadata.WhichOneof("spec") is None
    assert (row.metadata.action_type, row.metadata.funtion_name) == (0, "")
    assert row.status.start_time.ToDatetime(UTC) == datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)


def test_the_default_order_is_by_phase_then_newest(model: Model, client: GrpcClient) -> None:
    first, second = model.ask("r1", "one"), model.ask("r1", "two")
    waiting = model.ask("r1", "three", queued=True)
    assert client.ids() == [waiting, "a0", second, first]


def test_ties_are_sorted_by_id_in_both_directions(model: Model, client: GrpcClient) -> None:
    for action in ("c3", "c1", "c2"):
        model.ask("r1", "deploy", action=action)
    assert client.ids(sort_by=BY_CREATION) == ["a0", "c1", "c2", "c3"]
    assert client.ids(sort_by={"key": "created_at"}) == ["a0", "c1", "c2", "c3"]
    assert client.ids(sort_by_fields=[{"key": "run_name"}, {"key": "phase"}])[-1] == "a0"


def test_reconciliation_cuts_the_creation_time_to_its_second(
    model: Model, client: GrpcClient, clock: Clock
) -> None:
    model.ask("r1", "one", action="b2", queued=True)
    clock.pass_time(0.1)
    model.ask("r1", "two", action="b1", queued=True)
    assert client.ids(sort_by=BY_CREATION) == ["a0", "b2", "b1"]
    assert client.details("b1").status.start_time.nanos == 350_000_000
    model.reconcile("r1", "b1")
    assert client.ids(sort_by=BY_CREATION) == ["a0", "b1", "b2"]
    assert client.details("b1").status.start_time.nanos == 0
    model.reconcile("r1", "b2")
    assert client.ids(sort_by=BY_CREATION) == ["a0", "b1", "b2"]


def test_pages_start_at_an_offset_and_the_last_has_no_token(
    model: Model, client: GrpcClient
) -> None:
    created = [model.ask("r1", "deploy") for _ in range(4)]
    first = client.list_actions(limit=3, sort_by=BY_CREATION)
    assert ([row.id.name for row in first.actions], first.token) == (["a0", *created[:2]], "3")
    second = client.list_actions(limit=3, token="3", sort_by=BY_CREATION)
    assert ([row.id.name for row in second.actions], second.token) == (created[2:], "")
    beyond = client.list_actions(limit=3, token="999", sort_by=BY_CREATION)
    assert (list(beyond.actions), beyond.token) == ([], "")


def test_a_page_has_50_actions_by_default_and_200_at_most(model: Model, client: GrpcClient) -> None:
    for _ in range(250):
        model.ask("r1", "deploy")
    assert (len(client.ids()), len(client.ids(limit=200))) == (50, 200)


def test_the_listing_of_an_unknown_run_is_empty(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy")
    assert client.ids("r2") == []
    assert list(client.stub.ListActions(pb.ListActionsRequest(), timeout=WAIT).actions) == []


def test_a_filter_by_name_finds_tasks_too(model: Model, client: GrpcClient) -> None:
    condition, task = model.ask("r1", "deploy"), model.task("r1", "deploy")
    model.ask("r1", "deploy2")
    assert sorted(client.ids(filters=[NAMED])) == [condition, task]
    first = client.list_actions(limit=1, filters=[NAMED], sort_by=BY_CREATION)
    assert ([row.id.name for row in first.actions], first.token) == ([condition], "1")


@pytest.mark.parametrize(
    ("function", "field", "values", "found"),
    [
        ("NOT_EQUAL", "function_name", ["t"], ["c1", "c2"]),
        ("CONTAINS", "function_name", ["_pprov%"], ["c1"]),
        ("CONTAINS", "function_name", ["100\\%"], ["c2"]),
        ("CONTAINS_CASE_INSENSITIVE", "function_name", ["APP"], ["c1"]),
        ("ENDS_WITH", "function_name", ["%"], ["a0", "c1", "c2"]),
        ("NOT_ENDS_WITH", "function_name", ["ve"], ["a0", "c2"]),
        ("VALUE_IN", "phase", ["1", "9"], ["c1", "c2"]),
        ("EQUAL", "phase", ["4"], ["a0"]),
        ("GREATER_THAN", "phase", ["4"], ["c1", "c2"]),
        ("LESS_THAN_OR_EQUAL", "phase", ["4"], ["a0"]),
        ("EQUAL", "task_version", ["1"], ["a0"]),
        ("NOT_EQUAL", "task_version", ["2"], ["a0"]),
        ("GREATER_THAN_OR_EQUAL", "created_at", ["2026-05-04T12:30:15Z"], ["a0", "c1", "c2"]),
        ("LESS_THAN", "created_at", ["2026-05-04T14:30:15+02:00"], []),
    ],
)
def test_filters_compare_as_the_database_does(
    model: Model, client: GrpcClient, function: str, field: str, values: list[str], found: list[str]
) -> None:
    model.ask("r1", "approve", action="c1")
    model.ask("r1", "100% sure", action="c2")
    chosen = {"function": function, "field": field, "values": values}
    assert client.ids(filters=[chosen], sort_by=BY_CREATION) == found


NO_NUL = 'failed to list actions: pq: invalid byte sequence for encoding "UTF8": 0x00 (22021)'
NO_INTEGER = 'failed to list actions: pq: invalid input syntax for type integer: "PAUSED" (22P02)'
NO_TIME = (
    "failed to list actions: pq: invalid input syntax for type timestamp with time zone: "
    '"zzz" (22007)'
)
NO_ARRAY = (
    "failed to list actions: sql: converting argument $4 type: pq: unable to convert "
    "string to array"
)
NO_FIELD = "failed to convert filters: invalid filter field: "
NO_VALUES = "failed to convert filters: filter function_name has no values"
SINCE = {"function": "GREATER_THAN_OR_EQUAL", "field": "created_at", "values": ["zzz"]}


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"limit": 201}, "INVALID_ARGUMENT", "invalid limit: 201 (exceeds maximum of 200)"),
        ({"token": "abc"}, "INVALID_ARGUMENT", 'invalid token: "abc"'),
        ({"token": "-1"}, "INVALID_ARGUMENT", 'invalid token: "-1"'),
        ({"sort_by": {"key": "name"}}, "INVALID_ARGUMENT", "invalid sort field: name"),
        ({"filters": [{"field": "name"}]}, "INVALID_ARGUMENT", NO_FIELD + "name"),
        ({"filters": [{"field": "parent_name"}]}, "INVALID_ARGUMENT", NO_FIELD + "parent_name"),
        ({"filters": [{"field": "action_group"}]}, "INVALID_ARGUMENT", NO_FIELD + "action_group"),
        ({"filters": [{"field": "function_name"}]}, "INVALID_ARGUMENT", NO_VALUES),
        ({"filters": [{"field": "function_name", "values": ["a\0b"]}]}, "INTERNAL", NO_NUL),
        ({"filters": [{"field": "phase", "values": ["PAUSED"]}]}, "INTERNAL", NO_INTEGER),
        ({"filters": [SINCE]}, "INTERNAL", NO_TIME),
        (
            {"filters": [{"function": "VALUE_IN", "field": "phase", "values": ["9"]}]},
            "INTERNAL",
            NO_ARRAY,
        ),
    ],
)
def test_invalid_listings_fail_with_the_services_messages(
    model: Model, client: GrpcClient, request_: dict[str, Any], status: str, message: str
) -> None:
    model.ask("r1", "deploy")
    with pytest.raises(grpc.RpcError) as caught:
        client.list_actions(**request_)
    assert status_and_message(caught.value) == (status, message)


def test_the_filter_by_action_type_is_supported_since_2_0_43(
    model: Model, client: GrpcClient, release: str
) -> None:
    condition = model.ask("r1", "deploy")
    conditions = {"field": "action_type", "values": ["3"]}
    if release == "2.0.43":
        assert client.ids(filters=[conditions]) == [condition]
        return
    with pytest.raises(grpc.RpcError) as caught:
        client.list_actions(filters=[conditions])
    assert status_and_message(caught.value) == ("INVALID_ARGUMENT", NO_FIELD + "action_type")


def test_runs_are_listed_newest_first_within_their_project(
    model: Model, client: GrpcClient, clock: Clock
) -> None:
    for run in ("r1", "r2", "r3"):
        model.ask(run, "deploy")
        clock.pass_time(1)
    model.ask("r9", "deploy", project="other")
    model.finish_run("r3")
    assert names(client.runs()) == ["r2", "r1", "r3"]
    assert names(client.runs("other")) == ["r9"]
    assert names(client.runs("nope")) == []
    first = client.runs(limit=2)
    assert (names(first), first.token) == (["r2", "r1"], "2")
    assert names(client.runs(limit=2, token="2")) == ["r3"]
    everywhere = client.stub.ListRuns(pb.ListRunsRequest(org="acme"), timeout=WAIT)
    assert sorted(names(everywhere)) == ["r1", "r2", "r3", "r9"]


def test_paused_runs_only_are_listed_since_2_0_30(
    model: Model, client: GrpcClient, release: str
) -> None:
    model.ask("r1", "deploy")
    model.task("r2", "work")
    found = names(client.runs(paused_only=True))
    assert found == (["r2", "r1"] if release == "2.0.28" else ["r1"])


def test_an_answered_run_stays_in_the_list_before_2_0_43(
    model: Model, client: GrpcClient, release: str
) -> None:
    condition = model.ask("r1", "deploy")
    client.signal(condition, True)
    assert names(client.runs(paused_only=True)) == ([] if release == "2.0.43" else ["r1"])


def test_the_org_of_a_listing_is_ignored(model: Model, client: GrpcClient) -> None:
    model.ask("r1", "deploy", org="acme")
    row = client.list_actions(org="other").actions[0]
    assert row.id.run.org == ""


@pytest.mark.parametrize("release", ["hosted"])
def test_a_hosted_backend_reports_more_of_a_condition(model: Model, client: GrpcClient) -> None:
    condition = model.ask("r1", "deploy", "float", parent="a7", org="acme")
    parents = {"field": "parent_name", "values": ["a7"]}
    [row] = client.list_actions(org="acme", filters=[parents]).actions
    assert (row.id.name, row.id.run.org, row.metadata.action_type) == (condition, "acme", 3)
    assert (row.metadata.condition.name, row.metadata.condition.type.simple) == ("deploy", 2)
    assert client.ids() == []
    with pytest.raises(grpc.RpcError) as caught:
        client.list_actions(filters=[NAMED])
    assert status_and_message(caught.value) == ("INVALID_ARGUMENT", NO_FIELD + "function_name")
