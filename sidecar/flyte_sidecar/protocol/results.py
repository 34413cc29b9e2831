"""Results, notifications and errors. Clients must ignore members that they do not know."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, convert, field, json
from msgspec.structs import replace

from flyte_sidecar.errors import ERRORS, SidecarError
from flyte_sidecar.events.bulk import EventResults
from flyte_sidecar.events.model import BackendName, Event, EventPage, TypeName
from flyte_sidecar.events.payloads import for_json

ProtocolVersion = Annotated[str, Meta(description="The version of the wire contract, MAJOR.MINOR.")]
SchemaHash = Annotated[str, Meta(description="A hash of the schemas.")]
ErrorKind = Annotated[
    str,
    Meta(
        title="ErrorKind",
        description="The kind of an error.",
        examples=[error.kind for error in ERRORS],
    ),
]
Outcome = Annotated[
    str,
    Meta(
        title="Outcome",
        description=(
            "The outcome of a write that ended in an error: `none` if it did not happen, `unknown`"
            " if it may have happened."
        ),
        examples=["none", "unknown"],
    ),
]
StoreReason = Annotated[
    str,
    Meta(
        title="StoreReason",
        description="Why the embedded store cannot be used.",
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
            "Why a watch ended. `cancelled`: by the client; `shutdown`: the sidecar shut down;"
            " `finished`: the run is over and all its events are resolved. On Flyte, the events"
            " that are pending when their run ends stay pending until the cluster collects the run."
        ),
        examples=["cancelled", "shutdown", "finished"],
    ),
]
ChangeKind = Annotated[
    str,
    Meta(
        title="Change",
        description=(
            "How an event changed. `created`: reported for the first time, in any state;"
            " `resolved`: it was reported as pending and no longer is; `removed`: it is gone from"
            " the backend; `updated`: any other change."
        ),
        examples=["created", "resolved", "removed", "updated"],
    ),
]


class ServerInfo(Struct, frozen=True):
    """The name and version of the server."""

    name: Annotated[str, Meta(description="Always `flyte-sidecar`.")]
    version: Annotated[str, Meta(description="The version of flyte-sidecar.")]


class Backend(Struct, frozen=True, kw_only=True, rename="camel"):
    """The backend, and the default scope of requests."""

    kind: Annotated[str, Meta(description="`local`, `flyte`, or `all`: both.")]
    endpoint: Annotated[str | None, Meta(description="The Flyte deployment's HOST:PORT.")]
    org: Annotated[str | None, Meta(description="The default organization.")]
    project: Annotated[str | None, Meta(description="The default project.")]
    domain: Annotated[str | None, Meta(description="The default domain.")]


class BackendStatus(Backend, frozen=True, kw_only=True, rename="camel"):
    """The backend, and whether it responds."""

    healthy: Annotated[
        bool, Meta(description="Whether the backend responds now; of `all`, whether both do.")
    ]


class InitializeResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """LSP's InitializeResult, with the protocol version and the backend."""

    capabilities: Annotated[
        dict[str, Any],
        Meta(
            description="LSP capabilities. `experimental.flyteSidecar` has the last three members."
        ),
    ]
    server_info: ServerInfo
    protocol_version: ProtocolVersion
    schema_hash: SchemaHash
    backend: Backend


class Counters(Struct, frozen=True, kw_only=True, rename="camel"):
    """Numbers of requests: received since the start, and open now."""

    requests: Annotated[int, Meta(description="Requests and notifications received.")]
    errors: Annotated[int, Meta(description="Requests answered with an error.")]
    in_flight: Annotated[int, Meta(description="Requests that are in flight, including waits.")]
    waits: Annotated[int, Meta(description="Open waits.")]
    watches: Annotated[int, Meta(description="Open watches.")]


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """The status of the sidecar."""

    uptime_seconds: Annotated[
        float, Meta(description="Time since the sidecar started to serve, in seconds.")
    ]
    counters: Counters
    protocol_version: ProtocolVersion
    schema_hash: SchemaHash
    backend: BackendStatus


class ErrorData(Struct, frozen=True, kw_only=True, rename="camel"):
    """The `data` of every error. Match on `kind`."""

    kind: ErrorKind
    retryable: Annotated[
        bool, Meta(description="Whether the same request may succeed if it is retried.")
    ]
    path: Annotated[str, Meta(description="JSON Pointer to the invalid param.")] | UnsetType = UNSET
    id: (
        Annotated[int | str | None, Meta(description="The id that is already in flight.")]
        | UnsetType
    ) = UNSET
    outcome: Outcome | UnsetType = UNSET
    action_name: (
        Annotated[
            str | None,
            Meta(description="The id of the event that a write had selected; null if none."),
        ]
        | UnsetType
    ) = UNSET
    limit: Annotated[int, Meta(description="The limit that was exceeded.")] | UnsetType = UNSET
    expected_type: TypeName | UnsetType = UNSET
    event: Event | UnsetType = UNSET
    candidates: (
        Annotated[list[Event], Meta(description="The first 20 unresolved events with that name.")]
        | UnsetType
    ) = UNSET
    grpc_status: Annotated[str, Meta(description="The gRPC status code.")] | UnsetType = UNSET
    message: Annotated[str, Meta(description="The error message of the backend.")] | UnsetType = (
        UNSET
    )
    reason: StoreReason | UnsetType = UNSET


class Error(Struct, frozen=True, kw_only=True):
    """A JSON-RPC error object."""

    code: Annotated[int, Meta(description="A code of JSON-RPC or LSP, or one from 1001 on.")]
    message: Annotated[str, Meta(description="A sentence for a person to read.")]
    data: ErrorData


class WatchResult(Struct, frozen=True, kw_only=True):
    """The end of a watch."""

    reason: WatchEnd


class WatchNotification(Struct, frozen=True, kw_only=True):
    """Members of every notification of a watch."""

    watch: Annotated[str, Meta(description="The name of the watch.")]
    sequence: Annotated[
        int, Meta(description="The number of the notification within its watch: 1, 2, ...")
    ]


class EventChanged(WatchNotification, frozen=True, kw_only=True):
    """The current state of an event that is new or has changed."""

    change: ChangeKind
    event: Event


class WatchSynced(WatchNotification, frozen=True, kw_only=True):
    """All current events have been reported. Changes follow."""


class WatchDisconnected(WatchNotification, frozen=True, kw_only=True):
    """The connection to a backend is lost. The watch reconnects by itself."""

    backend: BackendName
    error: Error


class WatchResynced(WatchNotification, frozen=True, kw_only=True):
    """The watch has reconnected, and all changes since the disconnect have been reported."""

    backend: BackendName


class AuthRequired(Struct, frozen=True, kw_only=True):
    """A person must log in at the deployment. The requests that need the login wait for it."""

    url: Annotated[str, Meta(description="What to open in a browser.")]
    user_code: Annotated[
        str | None, Meta(description="The code to enter there, or to compare; null without one.")
    ] = field(name="userCode", default=None)
    message: Annotated[str, Meta(description="All of this as a sentence.")]
    expires_at: Annotated[
        datetime, Meta(description="When the login fails unless it is finished.")
    ] = field(name="expiresAt")


class AuthEnded(Struct, frozen=True, kw_only=True):
    """The login was finished, has failed or was cancelled."""

    url: Annotated[str, Meta(description="The `url` of its `sidecar.authRequired`.")]
    error: Annotated[
        str | None, Meta(description="Why there is no login; null if it was finished.")
    ] = None


def error_of(error: SidecarError) -> Error:
    """Return an error in its wire form, for a notification."""
    members = json.decode(encode(error.data))
    data = convert({**members, "kind": error.kind, "retryable": error.retryable}, ErrorData)
    return Error(code=error.code, message=error.message, data=data)


def encode(value: object) -> bytes:
    """Return the JSON of a result or of an error's data."""
    if type(value) is Event:
        return _encode(value if value.payload is None else _wire(value))
    if type(value) is EventPage:
        events = [_wire(event) for event in value.events]
        return _encode(replace(value, events=events))
    if type(value) is EventResults:
        results = [
            result if result.event is None else replace(result, event=_wire(result.event))
            for result in value.results
        ]
        return _encode(replace(value, results=results))
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


def _encode_error(value: object) -> Error:
    if not isinstance(value, SidecarError):
        raise NotImplementedError(f"{type(value).__name__} has no JSON form")
    return error_of(value)


_encode = json.Encoder(enc_hook=_encode_error).encode
