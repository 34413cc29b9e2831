"""What an event is, and how one is named.

The vocabulary is Flyte's: a run is made of actions, and an event is backed by a condition
action. Instants are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

ExpectedType = Literal["bool", "int", "float", "str"]
PromptType = Literal["text", "markdown"]

# Enums that have their own names in the schemas.
TypeName = Annotated[ExpectedType, Meta(title="ExpectedType", description="A payload type.")]
Rendering = Annotated[PromptType, Meta(title="PromptType", description="The format of a prompt.")]
Phase = Annotated[
    str,
    Meta(
        title="Phase",
        description="The phase of an action: Flyte's ActionPhase without its prefix.",
        examples=[
            *("QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING", "RUNNING", "PAUSED"),
            *("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED"),
        ],
    ),
]
Instant = Annotated[datetime, Meta(tz=True)]
Payload = bool | int | float | str
"""A value that can answer an event."""

PAUSED = "PAUSED"
SUCCEEDED = "SUCCEEDED"
ABORTED = "ABORTED"
TIMED_OUT = "TIMED_OUT"

DEFAULT_LIMIT = 100
"""Entries in a page of a listing."""

DEFAULT_PARENT = "a0"
"""The root action of a run."""

DEFAULT_EXPECTED_TYPE: ExpectedType = "bool"
DEFAULT_PROMPT = "Approve?"
DEFAULT_PROMPT_TYPE: PromptType = "text"


class Event(Struct, frozen=True, kw_only=True, rename="camel", weakref=True):
    """A question that a run waits for, and its answer.

    `org`, `project`, `domain`, `runName` and `actionName` together identify an event.
    """

    name: Annotated[str, Meta(description="The event's name, which need not be unique.")]
    action_name: Annotated[
        str, Meta(description="The condition action of the event: its id within the run.")
    ]
    run_name: Annotated[str, Meta(description="The run that the event belongs to.")]
    org: Annotated[str | None, Meta(description="The run's organization.")]
    project: Annotated[str | None, Meta(description="The run's project.")]
    domain: Annotated[str | None, Meta(description="The run's domain.")]
    parent: Annotated[str | None, Meta(description="The parent action of the event.")]
    group: Annotated[str | None, Meta(description="The action group of the event.")]
    phase: Phase
    pending: Annotated[bool, Meta(description="Whether the event can still be signalled.")]
    expected_type: Annotated[
        TypeName | None,
        Meta(description="The payload type of the event; null where the backend omits it."),
    ]
    prompt: Annotated[str | None, Meta(description="The question to show to a person.")]
    prompt_type: Annotated[Rendering | None, Meta(description="The format of the prompt.")]
    description: Annotated[str | None, Meta(description="Further text about the question.")]
    created_at: Annotated[Instant | None, Meta(description="When the event was created.")]
    ended_at: Annotated[Instant | None, Meta(description="When the event was resolved.")]
    expires_at: Annotated[
        Instant | None, Meta(description="When the event times out if it is still pending.")
    ]
    payload: Annotated[Payload | None, Meta(description="The answer, if the event has one.")]
    signalled_by: Annotated[str | None, Meta(description="The user who answered, if known.")]
    abort_reason: Annotated[
        str | None, Meta(description="The reason for which the event was aborted, if any.")
    ]
    url: Annotated[str | None, Meta(description="The event's page in the Flyte console.")]
    partial: Annotated[
        bool,
        Meta(
            description=(
                "Whether a listing omitted prompt, promptType, description, expiresAt, payload,"
                " signalledBy and abortReason, which would cost one call per event."
            )
        ),
    ]

    @property
    def run(self) -> Run:
        """The run that asks, by its full name."""
        return Run(self.org, self.project, self.domain, self.run_name)

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory: what is long in it, and the rest."""
        words = (self.payload, self.prompt, self.description, self.abort_reason)
        return 1500 + sum(len(word) for word in words if isinstance(word, str))


def without_details(event: Event) -> Event:
    """Return the event as a partial one."""
    return replace(
        event,
        prompt=None,
        prompt_type=None,
        description=None,
        expires_at=None,
        payload=None,
        signalled_by=None,
        abort_reason=None,
        partial=True,
    )


class Run(Struct, frozen=True):
    """A run's full name."""

    org: str | None
    project: str | None
    domain: str | None
    name: str

    @property
    def scope(self) -> Scope:
        """Where the run is."""
        return Scope(self.org, self.project, self.domain)


class Scope(Struct, frozen=True):
    """Where runs are."""

    org: str | None
    project: str | None
    domain: str | None

    def run(self, name: str) -> Run:
        """Name a run there in full."""
        return Run(self.org, self.project, self.domain, name)


class Target(Struct, frozen=True):
    """The event that a request means: by its id (`action_name`), or by `name`.

    A name may be narrowed to the events under one `parent`.
    """

    run: Run
    name: str | None = None
    parent: str | None = None
    action_name: str | None = None

    def __str__(self) -> str:
        if self.action_name is not None:
            words = f"event {self.action_name!r}"
        else:
            words = f"event named {self.name!r}"
        if self.parent is not None:
            words += f" under {self.parent!r}"
        return f"{words} in run {self.run.name!r}"


class NewEvent(Struct, frozen=True, kw_only=True):
    """What `create` needs to know; `expires_in` is in seconds."""

    run: Run
    name: str
    parent: str = DEFAULT_PARENT
    group: str | None = None
    expected_type: ExpectedType = DEFAULT_EXPECTED_TYPE
    prompt: str = DEFAULT_PROMPT
    prompt_type: PromptType = DEFAULT_PROMPT_TYPE
    description: str | None = None
    expires_in: float | None = None


class Query(Struct, frozen=True, kw_only=True):
    """Which events of a run a listing wants, and how much of them at once.

    A page holds at most `limit` events and ends early rather than outgrow `max_bytes` of
    JSON, but holds one event at least.
    """

    run: Run
    parent: str | None = None
    phases: Sequence[str] | None = None
    details: bool = False
    limit: int = DEFAULT_LIMIT
    max_bytes: int = 1 << 20
    cursor: str | None = None


class EventPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of events, in creation order."""

    events: Annotated[list[Event], Meta(description="At most `limit` events.")]
    next_cursor: Annotated[
        str | None, Meta(description="The cursor of the next page; null for the last page.")
    ]


class RunsQuery(Struct, frozen=True, kw_only=True):
    """Which runs a listing wants, and how much of them at once, as with `Query`."""

    scope: Scope
    pending_only: bool = False
    limit: int = DEFAULT_LIMIT
    max_bytes: int = 1 << 20
    cursor: str | None = None


class PendingQuery(Struct, frozen=True, kw_only=True):
    """How many of the pending events of all runs of a scope a listing wants at once.

    A page ends early rather than outgrow `max_bytes` of JSON, as with `Query`.
    """

    scope: Scope
    limit: int = DEFAULT_LIMIT
    max_bytes: int = 1 << 20
    cursor: str | None = None


class RunInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """A run, and the number of its pending events."""

    run_name: Annotated[str, Meta(description="The run's name.")]
    org: Annotated[str | None, Meta(description="The run's organization.")]
    project: Annotated[str | None, Meta(description="The run's project.")]
    domain: Annotated[str | None, Meta(description="The run's domain.")]
    phase: Annotated[
        Phase | None,
        Meta(description="The run's phase; null in the embedded store, where runs have none."),
    ]
    created_at: Annotated[Instant | None, Meta(description="When the run was created.")]
    pending_events: Annotated[int, Meta(description="The number of pending events.")]


class RunPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of runs, the newest first."""

    runs: Annotated[list[RunInfo], Meta(description="At most `limit` runs.")]
    next_cursor: Annotated[
        str | None, Meta(description="The cursor of the next page; null for the last page.")
    ]
