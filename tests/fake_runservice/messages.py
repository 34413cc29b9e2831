"""Actions to the messages of `flyteidl2.workflow`, and requests to plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from flyteidl2.common import identifier_pb2, list_pb2
from flyteidl2.common.identity_pb2 import EnrichedIdentity
from flyteidl2.core import types_pb2
from flyteidl2.core.literals_pb2 import Literal
from flyteidl2.workflow import run_definition_pb2 as definition
from flyteidl2.workflow import run_service_pb2 as service
from google.protobuf.timestamp_pb2 import Timestamp

from tests.fake_runservice import idl
from tests.fake_runservice.actions import CONDITION, PHASES, Action, Payload, RunKey, Sort
from tests.fake_runservice.listing import Filter, ListQuery, parse_query
from tests.fake_runservice.model import Model

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIMPLE: dict[str, types_pb2.SimpleType] = {
    "bool": types_pb2.BOOLEAN,
    "int": types_pb2.INTEGER,
    "float": types_pb2.FLOAT,
    "str": types_pb2.STRING,
}


def listed(action: Action, hosted: bool) -> definition.Action:
    """Return a row of ListActions. Only a hosted backend reports more than parent and group."""
    row = _row(action)
    row.metadata.SetInParent()
    if hosted:
        row.metadata.action_type = action.type  # type: ignore[assignment]
        if action.condition is not None:
            _name_condition(row.metadata.condition, action)
    return row


def watched(
    action: Action, meets: bool, counts: Mapping[str, int], with_condition: bool
) -> definition.EnrichedAction:
    """Return an action as WatchActions sends it."""
    row = _row(action)
    row.metadata.funtion_name = action.name
    if action.condition is None:
        _name_task(row.metadata, action)
        row.metadata.task.short_name = action.short_name or action.name.rpartition(".")[2]
    elif with_condition:
        _name_condition(row.metadata.condition, action)
    children = {PHASES[phase]: count for phase, count in counts.items()}
    return definition.EnrichedAction(action=row, meets_filter=meets, children_phase_counts=children)


def run(root: Action) -> definition.Run:
    """Return a row of ListRuns."""
    row = _row(root)
    _describe(row.metadata, root)
    return definition.Run(action=row)


def details(action: Action, requested: identifier_pb2.RunIdentifier) -> definition.ActionDetails:
    """Return the details of an action. An abort hides the signal.

    The run is the requested one, with an org that the service ignored.
    """
    row = _row(action)
    found = definition.ActionDetails(status=row.status, metadata=row.metadata)
    found.id.name = action.id
    found.id.run.CopyFrom(requested)
    if action.duration_ms is not None:
        found.status.duration_ms = action.duration_ms
    _describe(found.metadata, action)
    if action.condition is None:
        template = found.task.task_template
        template.id.resource_type = 1  # type: ignore[assignment]  # TASK
        template.id.project, template.id.domain = action.run.project, action.run.domain
        template.id.name, template.id.version = action.name, "1"
        template.type, template.container.image = "container", "x"
        found.task.short_name = action.short_name
        if action.environment:
            found.task.environment.name = action.environment
    else:
        condition = action.condition
        _name_condition(found.condition, action)
        found.condition.prompt = condition.prompt
        found.condition.description = condition.description
        found.condition.prompt_type = (
            definition.CONDITION_PROMPT_TYPE_MARKDOWN
            if condition.markdown
            else definition.CONDITION_PROMPT_TYPE_TEXT
        )
        if condition.timeout is not None:
            found.condition.timeout.FromNanoseconds(round(condition.timeout * 1e9))
    if action.phase == "ABORTED":
        found.abort_info.reason = action.abort_reason or ""
    elif action.payload is not None:
        by = action.signalled_by
        identity = EnrichedIdentity(user={"id": {"subject": by}}) if by else None
        idl.set_signal_info(found, _literal(action.payload), identity)
    return found


def payload(request: service.SignalEventRequest) -> Payload | None:
    """Return the payload of a signal; None without one."""
    field = request.payload.WhichOneof("value")
    value: Payload | None = getattr(request.payload, field) if field else None
    return value


def query(request: list_pb2.ListRequest, fields: frozenset[str]) -> ListQuery:
    """Return the query of a listing's request."""
    fields_sorted = request.sort_by_fields or ([request.sort_by] if request.sort_by.key else [])
    sort: Sort = tuple((by.key, by.direction == list_pb2.Sort.ASCENDING) for by in fields_sorted)
    return parse_query(request.limit, request.token, sort, filters(request.filters), fields)


def filters(requested: Iterable[list_pb2.Filter]) -> list[Filter]:
    return [
        Filter(list_pb2.Filter.Function.Name(item.function), item.field, tuple(item.values))
        for item in requested
    ]


def key(model: Model, run_id: identifier_pb2.RunIdentifier) -> RunKey:
    return model.key(run_id.name, run_id.org, run_id.project, run_id.domain)


def _row(action: Action) -> definition.Action:
    row = definition.Action()
    run_id, status = row.id.run, row.status
    run_id.org, run_id.project, run_id.domain, run_id.name = action.run
    row.id.name = action.id
    if action.parent:
        row.metadata.parent = action.parent
    if action.group:
        row.metadata.group = action.group
    status.phase = PHASES[action.phase]  # type: ignore[assignment]
    _set_timestamp(status.start_time, action.created_at)
    if action.ended_at is not None:
        _set_timestamp(status.end_time, action.ended_at)
        if action.duration_ms:
            status.duration_ms = action.duration_ms
    return row


def _describe(metadata: definition.ActionMetadata, action: Action) -> None:
    metadata.action_type = action.type  # type: ignore[assignment]
    metadata.funtion_name = action.name
    if action.type == CONDITION:
        _name_condition(metadata.condition, action)
    else:
        _name_task(metadata, action)


def _name_task(metadata: definition.ActionMetadata, action: Action) -> None:
    metadata.environment_name = action.environment
    task = metadata.task
    task.id.project, task.id.domain = action.run.project, action.run.domain
    task.id.name, task.id.version = action.name, "1"
    task.task_type = "container"
    task.short_name = action.short_name


def _name_condition(
    named: definition.ConditionActionMetadata | definition.ConditionAction, action: Action
) -> None:
    assert action.condition is not None
    named.name = action.name
    named.type.simple = _SIMPLE[action.condition.expected_type]


def _literal(value: Payload) -> Literal:
    literal = Literal()
    primitive = literal.scalar.primitive
    if isinstance(value, bool):
        primitive.boolean = value
    elif isinstance(value, int):
        primitive.integer = value
    elif isinstance(value, float):
        primitive.float_value = value
    else:
        primitive.string_value = value
    return literal


def _set_timestamp(timestamp: Timestamp, instant: datetime) -> None:
    since = instant - _EPOCH
    timestamp.seconds = since.days * 86400 + since.seconds
    timestamp.nanos = since.microseconds * 1000
