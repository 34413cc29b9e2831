"""Events, how requests refer to them, and the queries and pages of listings.

The terms are Flyte's: a run consists of actions, and each event belongs to a condition action.
Instants are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from flyte_sidecar.errors import SidecarError

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
BackendName = Annotated[
    str,
    Meta(
        title="BackendName",
        description="`local`, the embedded store, or `flyte`, a Flyte deployment.",
        examples=["local", "flyte"],
    ),
]
BACKEND_TITLES: dict[BackendName, str] = {
    "local": "the embedded store",
    "flyte": "the deployment",
}
"""How messages name the backends."""

Instant = Annotated[datetime, Meta(tz=True)]
Payload = bool | int | float | str
"""The value of an answer."""

PAUSED = "PAUSED"
SUCCEEDED = "SUCCEEDED"
ABORTED = "ABORTED"
TIMED_OUT = "TIMED_OUT"

DEFAULT_PAGE_LIMIT = 100
"""Entries in a page of a listing."""

MAX_PAGE_LIMIT = 1000
"""Maximum number of entries in a page of a listing."""

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
        """The full name of the run that the event belongs to."""
        return Run(self.org, self.project, self.domain, self.run_name)

    @property
    def target(self) -> Target:
        """How requests refer to the event: by its id."""
        return Target(self.run, action_name=self.action_name)

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        long = (
            *(self.name, self.group, self.payload, self.url),
            *(self.prompt, self.description, self.abort_reason),
        )
        return 1500 + sum(len(text) for text in long if isinstance(text, str))


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
    """The full name of a run."""

    org: str | None
    project: str | None
    domain: str | None
    name: str

    @property
    def scope(self) -> Scope:
        """The scope of the run."""
        return Scope(self.org, self.project, self.domain)


class Scope(Struct, frozen=True):
    """The organization, project and domain of runs."""

    org: str | None
    project: str | None
    domain: str | None

    def run(self, name: str) -> Run:
        """Return the full name of a run in the scope."""
        return Run(self.org, self.project, self.domain, name)


class TaskName(Struct, frozen=True):
    """The name of a task.

    Attributes
    ----------
    function
        The function that is the task.
    environment
        The name of the task environment of the function; None if it is unknown.
    """

    function: str
    environment: str | None


ANY_SCOPE = Scope(None, None, None)
"""The scope of a request that contains none, if several backends may have what it names."""


class Target(Struct, frozen=True):
    """The event that a request refers to, by id (`action_name`) or by `name`.

    A `name` can be restricted to the events under one `parent`.
    """

    run: Run
    name: str | None = None
    parent: str | None = None
    action_name: str | None = None

    def __str__(self) -> str:
        if self.action_name is not None:
            text = f"event {self.action_name!r}"
        else:
            text = f"event named {self.name!r}"
        if self.parent is not None:
            text += f" under {self.parent!r}"
        return f"{text} in run {self.run.name!r}"


class NewEvent(Struct, frozen=True, kw_only=True):
    """The parameters of a new event; `expires_in` is in seconds."""

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
    """A page of a listing of the events of a run.

    A page has at most `limit` events and `max_bytes` of JSON, but always at least one event.
    """

    run: Run
    parent: str | None = None
    phases: Sequence[str] | None = None
    details: bool = False
    limit: int = DEFAULT_PAGE_LIMIT
    max_bytes: int = 1 << 20
    cursor: str | None = None


class UnavailableBackend(Struct, frozen=True, kw_only=True):
    """One of several backends, which could not be read."""

    backend: BackendName
    error: Annotated[
        SidecarError,
        Meta(description="The reason.", extra_json_schema={"$ref": "#/$defs/Error"}),
    ]


Unavailable = Annotated[
    list[UnavailableBackend],
    Meta(
        description="With the backend `all`: the backends whose entries are missing from the page."
    ),
]


class EventPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of events, in creation order."""

    events: Annotated[list[Event], Meta(description="At most `limit` events.")]
    next_cursor: Annotated[
        str | None, Meta(description="The cursor of the next page; null for the last page.")
    ]
    unavailable: Unavailable


class RunsQuery(Struct, frozen=True, kw_only=True):
    """A page of a listing of runs; `limit` and `max_bytes` as in `Query`."""

    scope: Scope
    pending_only: bool = False
    limit: int = DEFAULT_PAGE_LIMIT
    max_bytes: int = 1 << 20
    cursor: str | None = None


class PendingQuery(Struct, frozen=True, kw_only=True):
    """A page of a listing of the pending events of a scope.

    `limit` and `max_bytes` as in `Query`.
    """

    scope: Scope
    limit: int = DEFAULT_PAGE_LIMIT
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
    unavailable: Unavailable
