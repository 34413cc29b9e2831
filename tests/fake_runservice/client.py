"""A client of the service: the generated stubs, with shorter arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
from flyteidl2.workflow import run_service_pb2 as pb
from flyteidl2.workflow import run_service_pb2_grpc as stubs

from flyte_sidecar.backends.flyte.rpc.idl import set_paused_actions_only
from tests.fake_runservice.actions import Payload

WAIT = 30  # seconds until a call that hangs fails its test
BY_CREATION = {"key": "created_at", "direction": "ASCENDING"}
SERVICE = pb.DESCRIPTOR.services_by_name["RunService"].full_name
_FIELDS = {bool: "bool_value", int: "int_value", float: "float_value", str: "string_value"}


# A connection to a server that has restarted breaks with the next call.
_RETRY = {"maxAttempts": 3, "initialBackoff": "0.02s", "maxBackoff": "0.2s", "backoffMultiplier": 2}
_RETRY_READS = {
    "methodConfig": [
        {
            "name": [
                {"service": SERVICE, "method": method}
                for method in ("ListActions", "GetActionDetails")
            ],
            "retryPolicy": {**_RETRY, "retryableStatusCodes": ["UNAVAILABLE"]},
        }
    ]
}


class GrpcClient:
    def __init__(self, endpoint: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.service_config", json.dumps(_RETRY_READS)),
            ("grpc.initial_reconnect_backoff_ms", 20),
            ("grpc.min_reconnect_backoff_ms", 20_000),  # the timeout of an attempt
            ("grpc.max_reconnect_backoff_ms", 200),
        ]
        self.channel = (
            grpc.insecure_channel(endpoint, options)
            if credentials is None
            else grpc.secure_channel(endpoint, credentials, options)
        )
        self.stub: Any = stubs.RunServiceStub(self.channel)  # type: ignore[no-untyped-call]

    def list_actions(self, run: str = "r1", org: str = "", **request: Any) -> Any:
        return self.stub.ListActions(
            pb.ListActionsRequest(run_id=run_id(run, org), request=request), timeout=WAIT
        )

    def ids(self, run: str = "r1", **request: Any) -> list[str]:
        return [action.id.name for action in self.list_actions(run, **request).actions]

    def details(self, action: str, run: str = "r1", org: str = "") -> Any:
        request = pb.GetActionDetailsRequest(action_id=action_id(action, run, org))
        return self.stub.GetActionDetails(request, timeout=WAIT).details

    def signal(
        self,
        action: str,
        value: Payload | None,
        run: str = "r1",
        *,
        parent: str = "a0",
        org: str = "",
        by: str = "",
    ) -> None:
        request = pb.SignalEventRequest(
            action_id=action_id(action, run, org),
            parent_action_name=parent,
            payload=None if value is None else {_FIELDS[type(value)]: value},
        )
        metadata = (("x-amzn-oidc-identity", by),) if by else ()
        self.stub.SignalEvent(request, timeout=WAIT, metadata=metadata)

    def abort(self, action: str, reason: str = "", run: str = "r1") -> None:
        request = pb.AbortActionRequest(action_id=action_id(action, run), reason=reason)
        self.stub.AbortAction(request, timeout=WAIT)

    def runs(self, project: str = "local", paused_only: bool = False, **request: Any) -> Any:
        message = pb.ListRunsRequest(
            project_id={"name": project, "domain": "local"}, request=request
        )
        if paused_only:
            set_paused_actions_only(message)
        return self.stub.ListRuns(message, timeout=WAIT)

    def watch(self, run: str = "r1", *filters: dict[str, Any]) -> ActionsWatch:
        request = pb.WatchActionsRequest(run_id=run_id(run), filter=filters)
        return ActionsWatch(self.stub.WatchActions(request, timeout=WAIT))

    def watch_details(self, action: str, run: str = "r1") -> Any:
        request = pb.WatchActionDetailsRequest(action_id=action_id(action, run))
        return self.stub.WatchActionDetails(request, timeout=WAIT)


class ActionsWatch:
    """The messages of a WatchActions stream, each as a dict of actions by id."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        return {row.action.id.name: row for row in next(self.call).enriched_actions}


def run_id(run: str, org: str = "") -> dict[str, str]:
    return {"org": org, "project": "local", "domain": "local", "name": run}


def action_id(action: str, run: str = "r1", org: str = "") -> dict[str, Any]:
    return {"run": run_id(run, org), "name": action}


def status_and_message(error: Any) -> tuple[str, str]:
    """Return the status and the message of an error of grpc."""
    return error.code().name, error.details() or ""


def signal_status(
    client: GrpcClient, value: Payload | None, action: str = "c1", **options: Any
) -> object:
    """Signal, and return the status and the message of the error, or "OK"."""
    try:
        client.signal(action, value, **options)
    except grpc.RpcError as error:
        return status_and_message(error)
    return "OK"
