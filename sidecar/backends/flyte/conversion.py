"""Events to and from the messages of Flyte's RunService.

An event is a condition action there: `flyteidl2.workflow.run_definition_pb2.Action`.
"""

from __future__ import annotations

from typing import cast

from flyteidl2.common import phase_pb2
from flyteidl2.core import types_pb2
from flyteidl2.workflow import run_definition_pb2

from sidecar.events.model import Event, ExpectedType

_PREFIX = "ACTION_PHASE_"
_UNKNOWN = "UNKNOWN_"
_PHASES: dict[int, str] = {
    number: name.removeprefix(_PREFIX) for name, number in phase_pb2.ActionPhase.items()
}
_NUMBERS: dict[str, int] = {phase: number for number, phase in _PHASES.items()}
_TYPES: dict[ExpectedType, types_pb2.SimpleType] = {
    "bool": types_pb2.BOOLEAN,
    "int": types_pb2.INTEGER,
    "float": types_pb2.FLOAT,
    "str": types_pb2.STRING,
}


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
        action.metadata.condition.type.simple = _TYPES[event.expected_type]
    action.status.phase = _phase_number(event.phase)
    if event.created_at is not None:
        action.status.start_time.FromDatetime(event.created_at)
    if event.ended_at is not None:
        action.status.end_time.FromDatetime(event.ended_at)
    return action


def action_phase(action: run_definition_pb2.Action) -> str:
    """Name the action's phase; a number that is not known here gives ``UNKNOWN_<n>``."""
    number = int(action.status.phase)
    return _PHASES.get(number, f"{_UNKNOWN}{number}")


def action_expected_type(action: run_definition_pb2.Action) -> ExpectedType | None:
    """Name the type of payload that the action takes, None where it does not tell."""
    declared = action.metadata.condition.type
    if not declared.HasField("simple"):
        return None
    return next((name for name, simple in _TYPES.items() if simple == declared.simple), None)


def _phase_number(phase: str) -> phase_pb2.ActionPhase:
    """Give the number of a phase, unspecified where the word is none of Flyte's."""
    digits = phase.removeprefix(_UNKNOWN)
    if digits != phase and digits.isascii() and digits.isdigit() and len(digits) <= 9:
        number = int(digits)
    else:
        number = _NUMBERS.get(phase, 0)
    return cast("phase_pb2.ActionPhase", number)
