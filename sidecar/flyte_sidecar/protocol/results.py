"""What answers carry. Results and errors may grow: clients ignore what they do not know."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, convert, json
from msgspec.structs import replace

from flyte_sidecar.errors import KINDS, SidecarError
from flyte_sidecar.events.model import Event, EventPage, TypeName
from flyte_sidecar.events.payloads import for_json

ProtocolVersion = Annotated[str, Meta(description="MAJOR.MINOR of the wire contract.")]
SchemaHash = Annotated[str, Meta(description="Differs where the schemas differ.")]
ErrorKind = Annotated[
    str,
    Meta(
        title="ErrorKind",
        description="What went wrong.",
        examples=[error.kind for error in KINDS],
    ),
]
Outcome = Annotated[
    str,
    Meta(
        title="Outcome",
        description="What is known of a write that ended in an error: none if it did not happen.",
        examples=["none", "unknown"],
    ),
]
StoreReason = Annotated[
    str,
    Meta(
        title="StoreReason",
        description="Why a store cannot be used.",
        examples=[
            *("not_a_store", "newer", "full", "read_only", "network", "replaced", "permissions"),
            "io",
        ],
    ),
]
WatchEnd = Annotated[
    str,
    Meta(
        title="WatchEnd",
        description=(
            "Why a watch ended: its client cancelled it, the sidecar shut down, or it is finished:"
            " the run is over, and all its events are resolved. On Flyte, events that are open when"
            " their run ends stay so until the cluster collects the run."
        ),
        examples=["cancelled", "shutdown", "finished"],
    ),
]
Change = Annotated[
    str,
    Meta(
        title="Change",
        description=(
            "What became of an event. created: told for the first time, in whatever state;"
            " resolved: told as pending before, and now it is not; removed: gone from the"
            " backend; updated: anything else."
        ),
        examples=["created", "resolved", "removed", "updated"],
    ),
]


class ServerInfo(Struct, frozen=True):
    """Who answers."""

    name: Annotated[str, Meta(description="flyte-sidecar.")]
    version: Annotated[str, Meta(description="The version of the package.")]


class Backend(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the events are kept, and the scope that requests have by default."""

    kind: Annotated[str, Meta(description="local or flyte.")]
    endpoint: Annotated[str | None, Meta(description="The Flyte deployment's HOST:PORT.")]
    org: Annotated[str | None, Meta(description="The organization of requests that name none.")]
    project: Annotated[str | None, Meta(description="The project of requests that name none.")]
    domain: Annotated[str | None, Meta(description="The domain of requests that name none.")]


class BackendStatus(Backend, frozen=True, kw_only=True, rename="camel"):
    """Where the events are kept, and whether it answers."""

    healthy: Annotated[bool, Meta(description="Whether it answers now.")]


class InitializeResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """LSP's InitializeResult, and what a client of ours needs to know."""

    capabilities: Annotated[
        dict[str, Any],
        Meta(description="LSP's; experimental.flyteSidecar repeats the last three members."),
    ]
    server_info: ServerInfo
    protocol_version: ProtocolVersion
    schema_hash: SchemaHash
    backend: Backend


class Counters(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the sidecar has done since it started, and does now."""

    requests: Annotated[int, Meta(description="Requests and notifications taken.")]
    errors: Annotated[int, Meta(description="Errors answered.")]
    in_flight: Annotated[int, Meta(description="Requests at work, waits included.")]
    waits: Annotated[int, Meta(description="Open waits.")]
    watches: Annotated[int, Meta(description="Open watches.")]


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the sidecar is."""

    uptime_seconds: Annotated[float, Meta(description="Since the process began to serve.")]
    counters: Counters
    protocol_version: ProtocolVersion
    schema_hash: SchemaHash
    backend: BackendStatus


class ErrorData(Struct, frozen=True, kw_only=True, rename="camel"):
    """The `data` of every error. Match on `kind`."""

    kind: ErrorKind
    retryable: Annotated[bool, Meta(description="Whether sending it again may help.")]
    path: Annotated[str, Meta(description="JSON Pointer to the culprit.")] | UnsetType = UNSET
    id: Annotated[int | str | None, Meta(description="A duplicate id.")] | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    action_name: (
        Annotated[str | None, Meta(description="The event that a write had chosen.")] | UnsetType
    ) = UNSET
    limit: Annotated[int, Meta(description="The limit that was met.")] | UnsetType = UNSET
    expected_type: TypeName | UnsetType = UNSET
    event: Event | UnsetType = UNSET
    candidates: (
        Annotated[list[Event], Meta(description="The first 20 that the name fits.")] | UnsetType
    ) = UNSET
    grpc_status: Annotated[str, Meta(description="gRPC's status code.")] | UnsetType = UNSET
    message: Annotated[str, Meta(description="What the backend said.")] | UnsetType = UNSET
    reason: StoreReason | UnsetType = UNSET


class Error(Struct, frozen=True, kw_only=True):
    """A JSON-RPC error object."""

    code: Annotated[int, Meta(description="JSON-RPC's, LSP's, or from 1001 on ours.")]
    message: Annotated[str, Meta(description="One sentence for a person.")]
    data: ErrorData


class WatchResult(Struct, frozen=True, kw_only=True):
    """How a watch ended."""

    reason: WatchEnd


class Notice(Struct, frozen=True, kw_only=True):
    """What every notification of a watch carries."""

    watch: Annotated[str, Meta(description="The watch, as its client named it.")]
    sequence: Annotated[int, Meta(description="From 1 on, rising by one, of each watch.")]


class EventChanged(Notice, frozen=True, kw_only=True):
    """An event as it now stands."""

    change: Change
    event: Event


class WatchSynced(Notice, frozen=True, kw_only=True):
    """Every event that stands has been told; what follows are changes."""


class WatchDisconnected(Notice, frozen=True, kw_only=True):
    """The backend is lost; the watch finds it again by itself, and then tells what it missed."""

    error: Error


class WatchResynced(Notice, frozen=True, kw_only=True):
    """The backend was found again, and every change since it was lost has been told."""


def error_of(error: SidecarError) -> Error:
    """Give an error as clients see it where it answers no request."""
    given = json.decode(encode(error.data))
    data = convert({**given, "kind": error.kind, "retryable": error.retryable}, ErrorData)
    return Error(code=error.code, message=error.message, data=data)


def encode(value: object) -> bytes:
    """Give the JSON of a result or of an error's data."""
    if type(value) is Event:
        return _encode(value if value.payload is None else _wire(value))
    if type(value) is EventPage:
        events = [_wire(event) for event in value.events]
        return _encode(EventPage(events=events, next_cursor=value.next_cursor))
    if type(value) is EventChanged:
        return _encode(replace(value, event=_wire(value.event)))
    if type(value) is dict:
        return _encode({name: _wire_member(member) for name, member in value.items()})
    return _encode(value)


def _wire_member(value: Any) -> Any:
    if type(value) is Event:
        return _wire(value)
    if type(value) is list:
        return [_wire_member(member) for member in value]
    return value


def _wire(event: Event) -> Event:
    payload = event.payload
    safe = for_json(payload)
    return event if safe is payload else replace(event, payload=safe)


_encode = json.Encoder().encode
