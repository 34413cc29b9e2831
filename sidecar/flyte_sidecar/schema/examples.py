"""An example of each method. Together they are one conversation, which a test replays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from flyte_sidecar.errors import EventNotFound
from flyte_sidecar.events.bulk import EventResult, EventResults
from flyte_sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    Event,
    EventPage,
    RunInfo,
    RunPage,
    Target,
)
from flyte_sidecar.protocol import PROTOCOL_VERSION
from flyte_sidecar.protocol.results import (
    Backend,
    BackendStatus,
    Counters,
    InitializeResult,
    ServerInfo,
    Status,
    WatchResult,
)
from flyte_sidecar.schema.contract import schema_hash


class Example(Struct, frozen=True):
    """The params of a request, and its result; a notification has none."""

    title: str
    params: dict[str, Any]
    result: Any | UnsetType = UNSET


def _at(second: int) -> datetime:
    return datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC)


DEPLOY = Event(
    name="deploy",
    action_name="e0000000000000001",
    run_name="training-7",
    org=None,
    project="local",
    domain="local",
    parent="a0",
    group=None,
    phase=PAUSED,
    pending=True,
    expected_type="bool",
    prompt="Deploy the model to production?",
    prompt_type="text",
    description=None,
    created_at=_at(5),
    ended_at=None,
    expires_at=None,
    payload=None,
    signalled_by=None,
    abort_reason=None,
    url=None,
    partial=False,
)
THRESHOLD = replace(
    DEPLOY,
    name="threshold",
    action_name="e0000000000000002",
    expected_type="float",
    prompt="Which threshold?",
    created_at=_at(7),
)
DEPLOYED = replace(
    DEPLOY,
    phase=SUCCEEDED,
    pending=False,
    ended_at=_at(6),
    payload=True,
    signalled_by="user",
)
ABANDONED = replace(
    THRESHOLD, phase=ABORTED, pending=False, ended_at=_at(8), abort_reason="no longer needed"
)

_RUN = {"runName": DEPLOY.run_name}
_DEPLOY = {**_RUN, "name": DEPLOY.name}
_MISSING = Target(DEPLOY.run, action_name="e0000000000000003")
_LOCAL = Backend(kind="local", endpoint=None, org=None, project="local", domain="local")


def _id(event: Event) -> dict[str, Any]:
    return {**_RUN, "actionName": event.action_name}


def examples() -> dict[str, Example]:
    """Return an example of each method, in the order of the conversation."""
    capabilities = {
        "protocolVersion": PROTOCOL_VERSION,
        "schemaHash": schema_hash(),
        "backend": _LOCAL,
    }
    initialized = InitializeResult(
        capabilities={"experimental": {"flyteSidecar": capabilities}},
        server_info=ServerInfo(name="flyte-sidecar", version="0.1.0"),
        protocol_version=PROTOCOL_VERSION,
        schema_hash=schema_hash(),
        backend=_LOCAL,
    )
    status = Status(
        uptime_seconds=1.5,
        counters=Counters(requests=16, errors=0, in_flight=1, waits=0, watches=0),
        protocol_version=PROTOCOL_VERSION,
        schema_hash=schema_hash(),
        backend=BackendStatus(
            kind="local",
            endpoint=None,
            org=None,
            project="local",
            domain="local",
            healthy=True,
        ),
    )
    run = RunInfo(
        run_name=DEPLOY.run_name,
        org=None,
        project="local",
        domain="local",
        phase=None,
        created_at=_at(4),
        pending_events=1,
    )
    return {
        "initialize": Example("Initialize the connection", {"processId": None}, initialized),
        "initialized": Example("The client has received the result", {}),
        "events.create": Example(
            "Create an event", {**_DEPLOY, "prompt": DEPLOY.prompt, "expectedType": "bool"}, DEPLOY
        ),
        "events.list": Example(
            "List the events of a run",
            {**_RUN, "limit": 20},
            EventPage(events=[DEPLOY], next_cursor=None, unavailable=[]),
        ),
        "events.get": Example("Get an event by name", _DEPLOY, DEPLOY),
        "events.pending": Example(
            "List the pending events",
            {},
            EventPage(events=[DEPLOY], next_cursor=None, unavailable=[]),
        ),
        "runs.list": Example(
            "List the runs with pending events",
            {"pendingOnly": True},
            RunPage(runs=[run], next_cursor=None, unavailable=[]),
        ),
        "events.watch": Example(
            "Watch a run", {**_RUN, "watch": "w1"}, WatchResult(reason="cancelled")
        ),
        "events.signal": Example("Answer yes", {**_DEPLOY, "payload": True}, DEPLOYED),
        "events.wait": Example("Wait for the answer", {**_DEPLOY, "awaitCreation": True}, DEPLOYED),
        "events.signalMany": Example(
            "Answer yes to several events",
            {
                "events": [_id(DEPLOY), {**_RUN, "actionName": _MISSING.action_name}],
                "payload": True,
            },
            EventResults(
                results=[
                    EventResult(event=DEPLOYED, error=None),
                    EventResult(event=None, error=EventNotFound(f"there is no {_MISSING}")),
                ]
            ),
        ),
        "events.abort": Example(
            "Abort an event",
            {**_RUN, "name": THRESHOLD.name, "reason": ABANDONED.abort_reason},
            ABANDONED,
        ),
        "events.abortMany": Example(
            "Abort several events",
            {"events": [_id(THRESHOLD)], "reason": ABANDONED.abort_reason},
            EventResults(results=[EventResult(event=ABANDONED, error=None)]),
        ),
        "events.unwatch": Example("End the watch", {"watch": "w1"}, None),
        "$/cancelRequest": Example("Cancel a request", {"id": 7}),
        "rpc.discover": Example(
            "Get this document (shortened here)",
            {},
            {"openrpc": "1.4.1", "info": {}, "methods": []},
        ),
        "sidecar.status": Example("Get the status", {}, status),
        "sidecar.cancelLogin": Example(
            "Cancel a login", {"url": "https://login.example.com/device?user_code=BDWP-HQPK"}, None
        ),
        "shutdown": Example("Shut down", {}, None),
        "exit": Example("Exit", {}),
    }
