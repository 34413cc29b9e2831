"""Params as the objects of the event core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct

from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.events.model import Run, Scope, Target
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.params import EventRef, RunParams, ScopeParams, TargetParams

S = TypeVar("S", bound=Struct)


def scope_of(params: ScopeParams, service: EventService) -> Scope:
    """Return the scope of a request."""
    return service.scope(params.org, params.project, params.domain)


def run_of(params: RunParams | EventRef, service: EventService) -> Run:
    """Return the full name of a run."""
    return service.run(params.run_name, params.org, params.project, params.domain)


def target_of(params: TargetParams, service: EventService) -> Target:
    """Return the event that a request refers to.

    Raises
    ------
    InvalidParams
        If it is given neither by its id nor by its name, or by both.
    """
    if params.action_name is not None:
        if params.name is not None or params.parent is not None:
            raise InvalidParams(
                "`actionName` cannot be combined with `name` or `parent`",
                path="/name" if params.name is not None else "/parent",
            )
    elif params.name is None:
        raise InvalidParams("either `name` or `actionName` is required", path="/name")
    return Target(run_of(params, service), params.name, params.parent, params.action_name)


def targets_of(events: Sequence[EventRef], service: EventService) -> list[Target]:
    """Return the events that a request refers to by their ids."""
    return [Target(run_of(event, service), action_name=event.action_name) for event in events]


def to_model(model: type[S], params: Struct, **members: Any) -> S:
    """Return a model object with the members, and the params that are not null."""
    for name in model.__struct_fields__:
        value = getattr(params, name, None)
        if value is not None:
            members.setdefault(name, value)
    return model(**members)
