"""The structure of Flyte's SDK that the hook relies on. Its names differ between releases.

Releases before 2.5.0 call a condition an event, and record neither its start nor its end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

Wait = Callable[[Any, Any], Coroutine[Any, Any, Any]]
"""The method of the local controller: it takes the controller and a condition."""


class SdkNames(NamedTuple):
    """The names in one generation of releases.

    Attributes
    ----------
    noun
        What the SDK calls a condition in its messages.
    wait
        The local controller's method that waits for a condition.
    waiting
        The recorder's method that this method calls before it waits.
    name
        The parameter of `waiting` that has the condition's name.
    pending
        The TUI tracker's method that returns the current wait of an action.
    resolve
        The TUI tracker's method that ends this wait with a value.
    timeout_error
        The error of a condition that timed out.
    is_action
        Whether a condition is an action of its own, whose start and end are recorded.
    """

    noun: str
    wait: str
    waiting: str
    name: str
    pending: str
    resolve: str
    timeout_error: str
    is_action: bool


CONDITION = SdkNames(
    noun="Condition",
    wait="wait_for_condition",
    waiting="record_condition_waiting",
    name="condition_name",
    pending="get_pending_condition",
    resolve="resolve_condition",
    timeout_error="ConditionTimedoutError",
    is_action=True,
)
EVENT = SdkNames(
    noun="Event",
    wait="wait_for_event",
    waiting="record_event_waiting",
    name="event_name",
    pending="get_pending_event",
    resolve="resolve_event",
    timeout_error="EventTimedoutError",
    is_action=False,
)


def error(name: str) -> type[Exception]:
    """Return an error of the SDK."""
    import flyte.errors

    found: type[Exception] = getattr(flyte.errors, name)
    return found


def task_context() -> Any:
    """Return the context of the running task."""
    from flyte._context import internal_ctx

    return internal_ctx().data.task_context


def task_action(context: Any) -> Any:
    """Return the action of a running task: within a trace, `action` is that of the trace."""
    return getattr(context, "task_action", None) or context.action


def event_id(details: Mapping[str, Any], names: SdkNames) -> str:
    """Return the action id of a condition's event, from what the SDK records of its wait."""
    action_id: str = details["action_id"]
    return action_id if names.is_action else f"{action_id}-event-{details[names.name]}"
