"""Events to and from the messages of Flyte's RunService.

An event is a condition action there: `flyteidl2.workflow.run_definition_pb2.Action`, and
`ActionDetails` of the same, which alone tell of the question and the answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

from flyteidl2.common import identity_pb2
from flyteidl2.workflow import run_definition_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct, field

from flyte_sidecar.backends.flyte.rpc.enums import (
    FINAL,
    UNKNOWN,
    from_literal,
    phase_name,
    phase_number,
    simple_type,
    type_name,
)
from flyte_sidecar.backends.flyte.rpc.idl import signal_info
from flyte_sidecar.events.model import (
    ABORTED,
    PAUSED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    ExpectedType,
    PromptType,
    Run,
)
from flyte_sidecar.events.payloads import type_of

_PROMPT_TYPES: dict[int, PromptType] = {
    run_definition_pb2.CONDITION_PROMPT_TYPE_TEXT: "text",
    run_definition_pb2.CONDITION_PROMPT_TYPE_MARKDOWN: "markdown",
}
_KINDS = {
    int(run_definition_pb2.ACTION_TYPE_CONDITION): True,
    int(run_definition_pb2.ACTION_TYPE_TASK): False,
    int(run_definition_pb2.ACTION_TYPE_TRACE): False,
}

_NO_REASON = ("", "User requested abort")
"""What stands in the place of a reason that was not given; the words are the backend's."""


class Facts(Struct, frozen=True):
    """What never changes of an action, and None where nothing told it.

    `name` and `expected_type` are an event's.
    """

    is_event: bool | None = None
    name: str | None = None
    expected_type: ExpectedType | None = None


class Row(Struct):
    """What a listing tells of an action.

    Attributes
    ----------
    is_event
        Whether it is a condition; None where nothing told so far.
    name, expected_type
        The event's; None where nothing told so far.
    created_at
        In whole seconds: the backend itself cuts the instant, but not at once.
    listed_at
        When it was listed, by the monotonic clock.
    """

    run: Run
    action_name: str
    phase: str
    ended: bool
    is_event: bool | None
    name: str | None
    expected_type: ExpectedType | None
    parent: str | None
    group: str | None
    created_at: datetime | None
    ended_at: datetime | None
    listed_at: float = field(default_factory=monotonic)

    @property
    def sort_key(self) -> tuple[float, str]:
        """Its place in the order of creation."""
        return (self.created_at.timestamp() if self.created_at else 0.0, self.action_name)

    def learn(self, known: Facts) -> None:
        """Add what the listing left out."""
        if known.is_event is not None:
            self.is_event = known.is_event
        if self.name is None:
            self.name = known.name
        self.expected_type = self.expected_type or known.expected_type


def facts(action: run_definition_pb2.Action) -> Facts:
    """Give what is told of an action that never changes."""
    metadata = action.metadata
    is_event = _is_event(metadata, phase_name(action.status.phase))
    if not is_event:
        return Facts(is_event)
    condition = metadata.condition
    name = condition.name or metadata.funtion_name
    # An event may have an empty name; without any metadata of a condition it is only missing.
    told = bool(name) or condition.HasField("type")
    return Facts(True, name if told else None, type_name(condition.type))


def row(action: run_definition_pb2.Action, run: Run) -> Row:
    """Give what is told of an action that was listed."""
    metadata, status = action.metadata, action.status
    phase = phase_name(status.phase)
    known = facts(action)
    return Row(
        run=run,
        action_name=action.id.name,
        phase=phase,
        ended=_has_ended(phase, status),
        is_event=known.is_event,
        name=known.name,
        expected_type=known.expected_type,
        parent=metadata.parent or None,
        group=metadata.group or None,
        created_at=_second(status.start_time),
        ended_at=_instant(status, "end_time"),
    )


def is_known(row: Row) -> bool:
    """Tell whether nothing more than an event's details is to be asked of a row."""
    if not row.is_event:
        return row.is_event is False
    return row.name is not None and row.expected_type is not None


def listed_event(row: Row, url: str | None) -> Event:
    """Give the event of a row whose name is known, without what only its details tell."""
    return Event(
        name=row.name or "",
        action_name=row.action_name,
        run_name=row.run.name,
        org=row.run.org,
        project=row.run.project,
        domain=row.run.domain,
        parent=row.parent,
        group=row.group,
        phase=row.phase,
        pending=not row.ended,
        expected_type=row.expected_type,
        prompt=None,
        prompt_type=None,
        description=None,
        created_at=row.created_at,
        ended_at=row.ended_at if row.ended else None,
        expires_at=None,
        payload=None,
        signalled_by=None,
        abort_reason=None,
        url=url,
        partial=True,
    )


def detailed_event(
    details: run_definition_pb2.ActionDetails, run: Run, url: str | None
) -> Event | None:
    """Give the event that an action's details tell of, None where it is no condition.

    An answer makes it `SUCCEEDED`, whatever the phase: that may follow later, or never.
    Raises `BadResponse` if the answer cannot be decoded.
    """
    metadata, status, condition = details.metadata, details.status, details.condition
    its_phase = phase_name(status.phase)
    if details.WhichOneof("spec") != "condition" and not _is_event(metadata, its_phase):
        return None
    signal = signal_info(details)
    payload = None if signal is None else from_literal(signal.output)
    phase = its_phase if signal is None else SUCCEEDED
    ended = signal is not None or _has_ended(phase, status)
    declared = condition.type if condition.HasField("type") else metadata.condition.type
    created_at = _second(status.start_time)
    expires_at = _deadline(created_at, condition.timeout)
    ended_at = _instant(status, "end_time") if ended else None
    reason = details.abort_info.reason
    return Event(
        name=condition.name or metadata.condition.name or metadata.funtion_name,
        action_name=details.id.name,
        run_name=run.name,
        org=run.org,
        project=run.project,
        domain=run.domain,
        parent=metadata.parent or None,
        group=metadata.group or None,
        phase=phase,
        pending=not ended,
        expected_type=type_name(declared) or (None if payload is None else type_of(payload)),
        prompt=condition.prompt or None,
        prompt_type=_PROMPT_TYPES.get(condition.prompt_type),
        description=condition.description or None,
        created_at=created_at,
        ended_at=expires_at or ended_at if phase == TIMED_OUT else ended_at,
        expires_at=expires_at,
        payload=payload,
        signalled_by=None if signal is None else _subject(signal.signalled_by),
        abort_reason=reason if reason not in _NO_REASON and phase == ABORTED else None,
        url=url,
        partial=False,
    )


def event_to_action(event: Event) -> run_definition_pb2.Action:
    """Give the event as Flyte lists it.

    A listed action carries no prompt, payload or expiry: those are in its details.
    """
    action = run_definition_pb2.Action()
    action.id.name = event.action_name
    action.id.run.org = event.org or ""
    action.id.run.project = event.project or ""
    action.id.run.domain = event.domain or ""
    action.id.run.name = event.run_name
    action.metadata.parent = event.parent or ""
    action.metadata.group = event.group or ""
    action.metadata.action_type = run_definition_pb2.ACTION_TYPE_CONDITION
    action.metadata.condition.name = event.name
    if event.expected_type is not None:
        action.metadata.condition.type.simple = simple_type(event.expected_type)
    action.status.phase = phase_number(event.phase)
    if event.created_at is not None:
        action.status.start_time.FromDatetime(event.created_at)
    if event.ended_at is not None:
        action.status.end_time.FromDatetime(event.ended_at)
    return action


def action_phase(action: run_definition_pb2.Action) -> str:
    """Name the action's phase."""
    return phase_name(action.status.phase)


def action_expected_type(action: run_definition_pb2.Action) -> ExpectedType | None:
    """Name the type of payload that the action takes, None where it does not tell."""
    return type_name(action.metadata.condition.type)


def _is_event(metadata: run_definition_pb2.ActionMetadata, phase: str) -> bool | None:
    """Tell whether an action is a condition, None where nothing of it says so."""
    spec = metadata.WhichOneof("spec")
    if spec is not None:
        return bool(spec == "condition")
    # A kind that is not known here tells nothing, but nothing else is ever paused.
    return _KINDS.get(metadata.action_type, True if phase == PAUSED else None)


def _has_ended(phase: str, status: run_definition_pb2.ActionStatus) -> bool:
    """Tell whether nothing will happen any more; of a phase that is not known, by its end."""
    return phase in FINAL or (phase.startswith(UNKNOWN) and status.HasField("end_time"))


def _second(timestamp: Timestamp) -> datetime | None:
    """Give an instant cut to its second; as `aware`, in a third of the time."""
    try:
        return datetime.fromtimestamp(timestamp.seconds, UTC) if timestamp.seconds else None
    except (OverflowError, ValueError, OSError):
        return None


def _instant(status: run_definition_pb2.ActionStatus, member: str) -> datetime | None:
    return aware(getattr(status, member)) if status.HasField(member) else None


def aware(timestamp: Timestamp) -> datetime | None:
    """Give an instant, None where there is none or Python has no such year."""
    if not timestamp.seconds:
        return None
    try:
        return timestamp.ToDatetime(UTC)
    except (OverflowError, ValueError):
        return None


def _deadline(created_at: datetime | None, timeout: Duration) -> datetime | None:
    if created_at is None or (timeout.seconds, timeout.nanos) <= (0, 0):
        return None  # the backend takes a timeout that is no time for none
    try:
        return created_at + timeout.ToTimedelta()
    except (OverflowError, ValueError):
        return None  # it ends, but in no year that Python has


def _subject(identity: identity_pb2.EnrichedIdentity) -> str | None:
    """Name who an identity is: a user or an application."""
    principal = identity.WhichOneof("principal")
    return None if principal is None else getattr(identity, principal).id.subject or None
