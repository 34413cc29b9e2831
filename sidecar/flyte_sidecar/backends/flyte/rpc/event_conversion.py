"""Events to and from Flyte's messages: an event is a condition action there."""

from __future__ import annotations

from flyteidl2.common import identity_pb2
from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.rpc.enums import (
    declared_type,
    phase_name,
    phase_number,
    simple_type,
)
from flyte_sidecar.backends.flyte.rpc.idl import signal_info
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction, has_ended, is_condition
from flyte_sidecar.backends.flyte.rpc.payload_conversion import from_literal
from flyte_sidecar.backends.flyte.rpc.timestamps import deadline, to_datetime, to_whole_second
from flyte_sidecar.events.model import (
    ABORTED,
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

_NO_REASON = ("", "User requested abort")
"""The reasons that the backend reports for an abort without a reason."""


def event_from_listing(row: ListedAction, url: str | None) -> Event:
    """Return the partial event of a listed action whose name is known."""
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


def event_from_details(
    details: run_definition_pb2.ActionDetails, run: Run, url: str | None
) -> Event | None:
    """Return the event in an action's details; None if the action is no condition.

    An answered event is `SUCCEEDED` whatever its phase: the phase may follow later, or never.

    Raises
    ------
    InvalidResponse
        If the answer cannot be decoded.
    """
    metadata, status, condition = details.metadata, details.status, details.condition
    phase = phase_name(status.phase)
    if details.WhichOneof("spec") != "condition" and not is_condition(metadata, phase):
        return None
    ended = has_ended(phase, status)
    signal = signal_info(details)
    payload = None if signal is None else from_literal(signal.output)
    if signal is not None:
        phase, ended = SUCCEEDED, True
    declared = condition.type if condition.HasField("type") else metadata.condition.type
    created_at = to_whole_second(status.start_time)
    expires_at = deadline(created_at, condition.timeout)
    ended_at = to_datetime(status.end_time) if ended else None
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
        expected_type=declared_type(declared) or (None if payload is None else type_of(payload)),
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
    """Return the event as Flyte lists it: without prompt, payload and expiry."""
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
    """Return the name of the action's phase."""
    return phase_name(action.status.phase)


def action_expected_type(action: run_definition_pb2.Action) -> ExpectedType | None:
    """Return the payload type that the action declares; None without one."""
    return declared_type(action.metadata.condition.type)


def _subject(identity: identity_pb2.EnrichedIdentity) -> str | None:
    """Return the subject of a user or an application."""
    principal = identity.WhichOneof("principal")
    return None if principal is None else getattr(identity, principal).id.subject or None
