"""Events in the arguments of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from msgspec import Struct, ValidationError, convert, structs, to_builtins

from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.events.model import Event


class EventArgument(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The event that a command refers to.

    Attributes
    ----------
    action_name
        The event's id; without it, the only unresolved event of the `name` is meant.
    name
        The event's name. With an id, it is the name that the event had where it was shown.
    backend
        The backend in which the event was seen; None means the current one.
    """

    run_name: str
    action_name: str | None = None
    org: str | None = None
    project: str | None = None
    domain: str | None = None
    name: str | None = None
    backend: str | None = None


def event_argument(event: Event, backend: str) -> EventArgument:
    """Return the argument that refers to exactly one event of a backend."""
    return EventArgument(
        run_name=event.run_name,
        action_name=event.action_name,
        org=event.org,
        project=event.project,
        domain=event.domain,
        name=event.name,
        backend=backend,
    )


def for_command(event: Event, backend: str) -> dict[str, str]:
    """Return the JSON object of `event_argument`, for the arguments of a lens or code action."""
    members: dict[str, str] = to_builtins(event_argument(event, backend))
    return members


def split_arguments(
    command: str, arguments: Sequence[object], more: int = 0
) -> tuple[EventArgument | None, Sequence[object]]:
    """Return the event of a command's arguments, None if there is none, and the arguments after it.

    An event is an object, or two strings: the name of the run and the name of the event.

    Parameters
    ----------
    more
        Number of arguments that the command accepts after the event.

    Raises
    ------
    InvalidParams
        If an argument is not valid.
    """
    if not arguments or arguments[0] is None:
        event, used = None, 1
    elif isinstance(arguments[0], str):
        name = arguments[1] if len(arguments) > 1 else None
        if not isinstance(name, str):
            raise invalid(command, 1, "must be the event's name, as the first is the run's name")
        event, used = _event(command, {"runName": arguments[0], "name": name}), 2
    else:
        event, used = _event(command, arguments[0]), 1
    return event, accept(command, arguments, used, more)


def accept(command: str, arguments: Sequence[object], used: int, more: int = 0) -> Sequence[object]:
    """Return the arguments after the first `used` ones, which may be `more` at most.

    Raises
    ------
    InvalidParams
        If there are too many arguments.
    """
    if len(arguments) > used + more:
        raise invalid(command, used + more, "is not expected")
    return arguments[used:]


def invalid(command: str, index: int, problem: str) -> InvalidParams:
    """Return the error of a command whose argument at an index, from 0, is not valid."""
    message = f"argument {index + 1} of {command} {problem}"
    return InvalidParams(message, path=f"/arguments/{index}")


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is a string without unpaired surrogates."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _event(command: str, value: object) -> EventArgument:
    expected = "an object with `runName`, and `actionName` or `name`, as strings that are not empty"
    try:
        event = convert(value, EventArgument)
    except ValidationError:
        raise invalid(command, 0, f"must be an event: {expected}") from None
    members = structs.astuple(event)
    if not (event.run_name and (event.action_name or event.name) and all(map(_is_valid, members))):
        raise invalid(command, 0, f"must be an event: {expected}")
    return event


def _is_valid(member: str | None) -> bool:
    return member is None or is_text(member)
