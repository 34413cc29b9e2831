"""Actions as listings and watches report them.

An event is a condition action. A listing reports neither its prompt nor its answer, and on some
releases not even its name and type: those are in its details (`event_conversion`).
"""

from __future__ import annotations

from datetime import datetime
from time import monotonic

from flyteidl2.workflow import run_definition_pb2
from msgspec import Struct, field

from flyte_sidecar.backends.flyte.rpc.enums import FINAL, UNKNOWN, declared_type, phase_name
from flyte_sidecar.backends.flyte.rpc.timestamps import to_datetime, to_whole_second
from flyte_sidecar.events.model import PAUSED, ExpectedType, Run

_IS_CONDITION = {
    int(run_definition_pb2.ACTION_TYPE_CONDITION): True,
    int(run_definition_pb2.ACTION_TYPE_TASK): False,
    int(run_definition_pb2.ACTION_TYPE_TRACE): False,
}


class EventMetadata(Struct, frozen=True):
    """The immutable properties of an action; None for each that was not reported.

    Attributes
    ----------
    is_event
        Whether the action is a condition.
    name, expected_type
        The event's.
    """

    is_event: bool | None = None
    name: str | None = None
    expected_type: ExpectedType | None = None


class ListedAction(Struct):
    """One row of a listing.

    Attributes
    ----------
    is_event
        Whether the action is a condition; None if nothing has reported it so far.
    name, expected_type
        The event's; None if nothing has reported them so far.
    created_at
        In whole seconds: the backend cuts off the fraction too, but only some time later.
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
        """The position in order of creation."""
        return (self.created_at.timestamp() if self.created_at else 0.0, self.action_name)

    @property
    def is_complete(self) -> bool:
        """Whether its immutable properties are known; those of a task do not matter."""
        if not self.is_event:
            return self.is_event is False
        return self.name is not None and self.expected_type is not None

    def add_metadata(self, metadata: EventMetadata) -> None:
        """Add the properties that the listing did not report."""
        if metadata.is_event is not None:
            self.is_event = metadata.is_event
        if self.name is None:
            self.name = metadata.name
        self.expected_type = self.expected_type or metadata.expected_type


def event_metadata(action: run_definition_pb2.Action) -> EventMetadata:
    """Return the immutable properties that an action reports."""
    metadata = action.metadata
    is_event = is_condition(metadata, phase_name(action.status.phase))
    if not is_event:
        return EventMetadata(is_event)
    condition = metadata.condition
    name = condition.name or metadata.funtion_name
    # An event's name may be empty. Without a condition in the metadata, it was not reported.
    is_named = bool(name) or condition.HasField("type")
    return EventMetadata(True, name if is_named else None, declared_type(condition.type))


def listed_action(action: run_definition_pb2.Action, run: Run) -> ListedAction:
    """Return an action of a listing of the run."""
    metadata, status = action.metadata, action.status
    phase = phase_name(status.phase)
    immutable = event_metadata(action)
    return ListedAction(
        run=run,
        action_name=action.id.name,
        phase=phase,
        ended=has_ended(phase, status),
        is_event=immutable.is_event,
        name=immutable.name,
        expected_type=immutable.expected_type,
        parent=metadata.parent or None,
        group=metadata.group or None,
        created_at=to_whole_second(status.start_time),
        ended_at=to_datetime(status.end_time),
    )


def is_condition(metadata: run_definition_pb2.ActionMetadata, phase: str) -> bool | None:
    """Return whether an action is a condition; None if the action does not report it."""
    spec = metadata.WhichOneof("spec")
    if spec is not None:
        return bool(spec == "condition")
    # Without a type, or with an unknown one, PAUSED identifies a condition.
    return _IS_CONDITION.get(metadata.action_type, True if phase == PAUSED else None)


def has_ended(phase: str, status: run_definition_pb2.ActionStatus) -> bool:
    """Return whether the phase is final; an unknown phase is if there is an end time."""
    return phase in FINAL or (phase.startswith(UNKNOWN) and status.HasField("end_time"))
