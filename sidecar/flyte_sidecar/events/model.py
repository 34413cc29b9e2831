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

# Sets of words with names of their own in the schemas.
TypeName = Annotated[ExpectedType, Meta(title="ExpectedType", description="A type of payload.")]
Rendering = Annotated[PromptType, Meta(title="PromptType", description="How to render a prompt.")]
Phase = Annotated[
    str,
    Meta(
        title="Phase",
        description="The phase of an action: Flyte's ActionPhase, without its prefix.",
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


class Event(Struct, frozen=True, kw_only=True, rename="camel", weakref=True):
    """A question that a run waits on, and its answer once there is one.

    Its org, project, domain, run and action together identify it; its name need not be unique.
    """

    name: Annotated[str, Meta(description="The name that the run gave the event.")]
    action_name: Annotated[
        str,
        Meta(description="The condition action that backs the event: its id within the run."),
    ]
    run_name: Annotated[str, Meta(description="The run that asks.")]
    org: Annotated[str | None, Meta(description="The run's organization.")]
    project: Annotated[str | None, Meta(description="The run's project.")]
    domain: Annotated[str | None, Meta(description="The run's domain.")]
    parent: Annotated[str | None, Meta(description="The action that the event belongs to.")]
    group: Annotated[str | None, Meta(description="The group of actions that it stands in.")]
    phase: Phase
    pending: Annotated[bool, Meta(description="Whether it can still be signalled.")]
    expected_type: Annotated[
        TypeName | None,
        Meta(description="The type of payload that it takes, where the backend tells it."),
    ]
    prompt: Annotated[str | None, Meta(description="The question, for a person to read.")]
    prompt_type: Annotated[Rendering | None, Meta(description="How to render the prompt.")]
    description: Annotated[str | None, Meta(description="More about the question.")]
    created_at: Annotated[Instant | None, Meta(description="When the event was made.")]
    ended_at: Annotated[Instant | None, Meta(description="When it stopped being pending.")]
    expires_at: Annotated[Instant | None, Meta(description="When it times out unanswered.")]
    payload: Annotated[Payload | None, Meta(description="The answer, once there is one.")]
    signalled_by: Annotated[str | None, Meta(description="Who answered, where that is known.")]
    abort_reason: Annotated[str | None, Meta(description="Why it was aborted, if a reason stands.")]
    url: Annotated[str | None, Meta(description="The event's page in the Flyte console.")]
    partial: Annotated[
        bool,
        Meta(
            description=(
                "True where a listing left out prompt, promptType, description, expiresAt,"
                " payload, signalledBy and abortReason, which would have cost a call each."
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
    parent: str
    group: str | None = None
    expected_type: ExpectedType = "bool"
    prompt: str = "Approve?"
    prompt_type: PromptType = "text"
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
    limit: int = 100
    max_bytes: int = 1 << 20
    cursor: str | None = None


class EventPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """Some events, in creation order."""

    events: Annotated[list[Event], Meta(description="At most as many as the limit.")]
    next_cursor: Annotated[
        str | None, Meta(description="Where the next page begins; none at the end.")
    ]


class RunsQuery(Struct, frozen=True, kw_only=True):
    """Which runs a listing wants, and how much of them at once, as with `Query`."""

    scope: Scope
    pending_only: bool = False
    limit: int = 100
    max_bytes: int = 1 << 20
    cursor: str | None = None


class PendingQuery(Struct, frozen=True, kw_only=True):
    """How many of the pending events of all runs of a scope a listing wants at once.

    A page ends early rather than outgrow `max_bytes` of JSON, as with `Query`.
    """

    scope: Scope
    limit: int = 100
    max_bytes: int = 1 << 20
    cursor: str | None = None


class RunInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """A run, and how many of its events wait for an answer."""

    run_name: Annotated[str, Meta(description="The run's name.")]
    org: Annotated[str | None, Meta(description="The run's organization.")]
    project: Annotated[str | None, Meta(description="The run's project.")]
    domain: Annotated[str | None, Meta(description="The run's domain.")]
    phase: Annotated[
        Phase | None,
        Meta(description="As an event's; none where runs have none, as in the embedded store."),
    ]
    created_at: Annotated[Instant | None, Meta(description="When the run was made.")]
    pending_events: Annotated[int, Meta(description="How many of its events are pending.")]


class RunPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """Some runs, the last created first."""

    runs: Annotated[list[RunInfo], Meta(description="At most as many as the limit.")]
    next_cursor: Annotated[
        str | None, Meta(description="Where the next page begins; none at the end.")
    ]
