"""Params of requests. An unknown param is an error, except in LSP's own methods."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from flyte_sidecar.events.model import (
    DEFAULT_EXPECTED_TYPE,
    DEFAULT_PAGE_LIMIT,
    DEFAULT_PARENT,
    DEFAULT_PROMPT,
    DEFAULT_PROMPT_TYPE,
    MAX_PAGE_LIMIT,
    Phase,
    Rendering,
    TypeName,
)

_NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*(?!\n)$"  # $ alone also matches before a final \n

Name = Annotated[str, Meta(min_length=1, max_length=1000, pattern=_NO_CONTROLS)]
"""A name in `events.create`. Names that come from a backend may be any string."""

PhaseWord = Annotated[Phase, Meta(pattern=r"^[A-Z0-9_]+(?!\n)$")]
"""A phase to look for, which may be unknown here. In lower case, it would match no event."""

MAX_EXPIRY = 100 * 365 * 86400.0
"""Seconds; a hundred years."""

MAX_EVENTS = 1000
"""Maximum number of events in one request."""


Limit = Annotated[
    Annotated[int, Meta(ge=1, le=MAX_PAGE_LIMIT)] | None,
    Meta(description="Maximum number of entries in a page."),
]
Cursor = Annotated[str | None, Meta(description="The `nextCursor` of the previous page.")]
RunName = Annotated[str, Meta(description="The run's name.")]
Org = Annotated[str | None, Meta(description="Organization. Defaults to that of the connection.")]
Project = Annotated[str | None, Meta(description="Project. Defaults to that of the connection.")]
Domain = Annotated[str | None, Meta(description="Domain. Defaults to that of the connection.")]
AnyPayload = Annotated[
    Raw, Meta(description="The answer.", extra_json_schema={"$ref": "#/$defs/Payload"})
]
PayloadType = Annotated[
    TypeName | None,
    Meta(description="The payload's type. Must equal the event's type, if that is reported."),
]
AbortReason = Annotated[str | None, Meta(description="The reason, for a person to read.")]


class Params(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Params that every request accepts."""

    timeout_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Answer with `deadline_exceeded` after this time, in seconds."),
    ] = None


class LenientParams(Struct, frozen=True, kw_only=True, rename="camel"):
    """Params of LSP's own methods. Unknown members are ignored at any depth."""


class ScopeParams(Params, frozen=True, kw_only=True):
    """The scope of runs."""

    org: Org = None
    project: Project = None
    domain: Domain = None


class RunParams(ScopeParams, frozen=True, kw_only=True):
    """One run."""

    run_name: RunName


class TargetParams(RunParams, frozen=True, kw_only=True):
    """One event: either `actionName`, or `name` and optionally `parent`."""

    name: Annotated[str | None, Meta(description="The event's name.")] = None
    parent: Annotated[str | None, Meta(description="The parent action of the event.")] = None
    action_name: Annotated[str | None, Meta(description="The event's id within the run.")] = None


class InitializeParams(LenientParams, frozen=True, kw_only=True):
    """The members of LSP's InitializeParams that have an effect."""

    process_id: Annotated[
        int | None, Meta(description="The sidecar exits when this process is gone.")
    ] = None


class ListParams(RunParams, frozen=True, kw_only=True):
    """The events of a run to list."""

    parent: Annotated[str | None, Meta(description="Only events under this parent action.")] = None
    phases: Annotated[
        list[PhaseWord] | None,
        Meta(description="Only events in these phases, which are in upper case."),
    ] = None
    details: Annotated[
        bool | None, Meta(description="Return complete events, never partial ones.")
    ] = False
    limit: Limit = DEFAULT_PAGE_LIMIT
    cursor: Annotated[
        str | None,
        Meta(
            description="The `nextCursor` of the previous page. On Flyte, later pages report each"
            " event as it was at the first page, or in a newer state that was read since."
        ),
    ] = None


class GetParams(TargetParams, frozen=True, kw_only=True):
    """The event to return."""


class SignalParams(TargetParams, frozen=True, kw_only=True):
    """The event to answer, and the answer."""

    payload: AnyPayload
    payload_type: PayloadType = None


class CreateParams(RunParams, frozen=True, kw_only=True):
    """The event to create. Embedded store only."""

    run_name: Annotated[Name, Meta(description="The run that the event belongs to.")]
    name: Annotated[Name, Meta(description="The event's name, unique under its parent.")]
    expected_type: Annotated[TypeName | None, Meta(description="The type of the answer.")] = (
        DEFAULT_EXPECTED_TYPE
    )
    prompt: Annotated[str | None, Meta(description="The question to show to a person.")] = (
        DEFAULT_PROMPT
    )
    prompt_type: Annotated[Rendering | None, Meta(description="The format of the prompt.")] = (
        DEFAULT_PROMPT_TYPE
    )
    description: Annotated[str | None, Meta(description="Further text about the question.")] = None
    expires_in_seconds: Annotated[
        Annotated[float, Meta(gt=0, le=MAX_EXPIRY)] | None,
        Meta(description="Time until the event times out, in seconds. Omit it for no timeout."),
    ] = None
    parent: Annotated[Name | None, Meta(description="The parent action of the event.")] = (
        DEFAULT_PARENT
    )
    group: Annotated[Name | None, Meta(description="The action group of the event.")] = None


class WaitParams(TargetParams, frozen=True, kw_only=True):
    """The event to wait for."""

    await_creation: Annotated[
        bool | None, Meta(description="If the event does not exist yet, wait for it.")
    ] = False


class AbortParams(TargetParams, frozen=True, kw_only=True):
    """The event to abort."""

    reason: AbortReason = None


class EventRef(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A reference to an event, by its id."""

    run_name: RunName
    action_name: Annotated[str, Meta(description="The event's id within the run.")]
    org: Org = None
    project: Project = None
    domain: Domain = None


class EventsParams(Params, frozen=True, kw_only=True):
    """Several events."""

    events: Annotated[
        list[EventRef],
        Meta(description="The events.", min_length=1, max_length=MAX_EVENTS),
    ]
    timeout_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="Answer after this time, in seconds. Events that were not finished have the"
            " error `deadline_exceeded`."
        ),
    ] = None


class SignalManyParams(EventsParams, frozen=True, kw_only=True):
    """The events to answer, and the answer."""

    payload: AnyPayload
    payload_type: PayloadType = None


class AbortManyParams(EventsParams, frozen=True, kw_only=True):
    """The events to abort."""

    reason: AbortReason = None


class PendingParams(ScopeParams, frozen=True, kw_only=True):
    """The scope whose pending events to list."""

    limit: Limit = DEFAULT_PAGE_LIMIT
    cursor: Cursor = None


class RunsParams(ScopeParams, frozen=True, kw_only=True):
    """The runs to list."""

    pending_only: Annotated[
        bool | None, Meta(description="Only runs that have pending events.")
    ] = False
    limit: Limit = DEFAULT_PAGE_LIMIT
    cursor: Cursor = None


class WatchParams(ScopeParams, frozen=True, kw_only=True):
    """The events to watch: those of a run, those of an action, or all pending events."""

    watch: Annotated[
        str,
        Meta(description="A name for the watch, unique among the client's open watches."),
    ]
    run_name: Annotated[
        str | None, Meta(description="The run. Omit it to watch all pending events.")
    ] = None
    parent: Annotated[str | None, Meta(description="Only events under this parent action.")] = None


class UnwatchParams(Params, frozen=True, kw_only=True):
    """The watch to end."""

    watch: Annotated[str, Meta(description="The watch's name.")]


class CancelLoginParams(Params, frozen=True, kw_only=True):
    """The login to cancel."""

    url: Annotated[str, Meta(description="The `url` of its `sidecar.authRequired`.")]


class CancelParams(LenientParams, frozen=True, kw_only=True):
    """The request to cancel."""

    id: Annotated[int | str | None, Meta(description="The request's id.")]
