"""What requests carry. Params are closed: an unknown member is refused."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from flyte_sidecar.events.model import Phase, Rendering, TypeName

_NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*(?!\n)$"  # Python's $ alone lets a last newline pass

Name = Annotated[str, Meta(min_length=1, max_length=1000, pattern=_NO_CONTROLS)]
"""A name that is made here: from elsewhere it may be anything."""

MAX_EXPIRY = 100 * 365 * 86400.0
"""Seconds; a hundred years."""


Limit = Annotated[
    Annotated[int, Meta(ge=1, le=1000)] | None,
    Meta(description="The most that a page holds. By default 100."),
]
Cursor = Annotated[str | None, Meta(description="A former page's nextCursor.")]


class Params(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What every request may carry."""

    timeout_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Past so many seconds the request is answered with deadline_exceeded."),
    ] = None


class LenientParams(Struct, frozen=True, kw_only=True, rename="camel"):
    """Params of LSP's own methods: whatever is unknown is ignored, at any depth."""


class PlaceParams(Params, frozen=True, kw_only=True):
    """Where runs are."""

    org: Annotated[str | None, Meta(description="By default the connection's.")] = None
    project: Annotated[str | None, Meta(description="By default the connection's.")] = None
    domain: Annotated[str | None, Meta(description="By default the connection's.")] = None


class Scope(PlaceParams, frozen=True, kw_only=True):
    """A run, by its full name."""

    run_name: Annotated[str, Meta(description="The run's name.")]


class TargetParams(Scope, frozen=True, kw_only=True):
    """One event: by `actionName`, or by `name` and perhaps `parent`; not both."""

    name: Annotated[str | None, Meta(description="The event's name.")] = None
    parent: Annotated[str | None, Meta(description="The action that the event is under.")] = None
    action_name: Annotated[str | None, Meta(description="The event's id within the run.")] = None


class InitializeParams(LenientParams, frozen=True, kw_only=True):
    """LSP's InitializeParams, as far as they matter here."""

    process_id: Annotated[
        int | None, Meta(description="The sidecar ends when this process is gone.")
    ] = None


class ListParams(Scope, frozen=True, kw_only=True):
    """Which events of a run to list."""

    parent: Annotated[str | None, Meta(description="Only events under this action.")] = None
    phases: Annotated[list[Phase] | None, Meta(description="Only events in these phases.")] = None
    details: Annotated[
        bool | None, Meta(description="Whether no event may be partial. By default false.")
    ] = None
    limit: Limit = None
    cursor: Annotated[
        str | None,
        Meta(
            description="A former page's nextCursor. On Flyte, later pages report each event as"
            " the first page found it, unless something newer is known by then."
        ),
    ] = None


class GetParams(TargetParams, frozen=True, kw_only=True):
    """Which event to get."""


class SignalParams(TargetParams, frozen=True, kw_only=True):
    """Which event to answer, and with what."""

    payload: Annotated[
        Raw, Meta(description="The answer.", extra_json_schema={"$ref": "#/$defs/Payload"})
    ]
    payload_type: Annotated[
        TypeName | None,
        Meta(description="What the payload is; must equal the declared type, if there is one."),
    ] = None


class CreateParams(Scope, frozen=True, kw_only=True):
    """The event to make. Embedded store only."""

    run_name: Annotated[Name, Meta(description="The run that asks.")]
    name: Annotated[Name, Meta(description="The event's name, new under its parent.")]
    expected_type: Annotated[TypeName | None, Meta(description="By default bool.")] = None
    prompt: Annotated[str | None, Meta(description="By default Approve?")] = None
    prompt_type: Annotated[Rendering | None, Meta(description="By default text.")] = None
    description: Annotated[str | None, Meta(description="More about the question.")] = None
    expires_in_seconds: Annotated[
        Annotated[float, Meta(gt=0, le=MAX_EXPIRY)] | None,
        Meta(description="It times out so long after it was made. By default never."),
    ] = None
    parent: Annotated[Name | None, Meta(description="By default a0.")] = None
    group: Annotated[Name | None, Meta(description="The group it stands in.")] = None


class WaitParams(TargetParams, frozen=True, kw_only=True):
    """Which event to wait for."""

    await_creation: Annotated[
        bool | None,
        Meta(description="Also wait for an event that does not exist yet. By default false."),
    ] = None


class AbortParams(TargetParams, frozen=True, kw_only=True):
    """Which event to end without an answer."""

    reason: Annotated[str | None, Meta(description="Why, for a person.")] = None


class PendingParams(PlaceParams, frozen=True, kw_only=True):
    """Of which place to list the events that wait for an answer."""

    limit: Limit = None
    cursor: Cursor = None


class RunsParams(PlaceParams, frozen=True, kw_only=True):
    """Which runs to list."""

    pending_only: Annotated[
        bool | None, Meta(description="Only runs with pending events. By default false.")
    ] = None
    limit: Limit = None
    cursor: Cursor = None


class WatchParams(PlaceParams, frozen=True, kw_only=True):
    """What to watch: a run, an action's events, or all pending events."""

    watch: Annotated[
        str,
        Meta(description="The client's name for the watch, unlike those of its open ones."),
    ]
    run_name: Annotated[
        str | None, Meta(description="The run. By default all pending events are watched.")
    ] = None
    parent: Annotated[str | None, Meta(description="Only events under this action.")] = None


class UnwatchParams(Params, frozen=True, kw_only=True):
    """Which watch to end."""

    watch: Annotated[str, Meta(description="Its name.")]


class CancelParams(LenientParams, frozen=True, kw_only=True):
    """Which request to cancel."""

    id: Annotated[int | str | None, Meta(description="The request's id.")]
