"""The messages of commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec import json

from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import (
    Event,
    ExpectedType,
    Scope,
)
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, outcome, title
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.lsp.event_arguments import EventArgument
from flyte_sidecar.lsp.texts import error_text

MAX_PROMPT_LENGTH = 1000
"""Characters of a prompt in a message of its own."""

_EXAMPLES: dict[ExpectedType | None, object] = {
    "bool": True,
    "int": 3,
    "float": 0.5,
    "str": "text",
    None: True,
}


def question(event: Event, length: int = MAX_TEXT_LENGTH) -> str:
    """Return the question that the event asks."""
    prompt = one_line(event.prompt or "", length)
    asks = f"asks: {prompt}" if prompt else "waits for an answer"
    return f"{one_line(event.run_name)} {asks} ({one_line(event.name)})"


def summary(event: Event) -> str:
    """Return an event as a message, for editors that cannot show its document."""
    text = question(event, MAX_PROMPT_LENGTH) if event.pending else outcome(event)
    return f"{text}\n{one_line(event.url, MAX_PROMPT_LENGTH)}" if event.url else text


def stale(event: Event, *, another: bool) -> str:
    """Return why an event was not answered; `another` event of its name in its run may wait."""
    more = " Another event of this name is waiting." if another else ""
    return f"Nothing was changed: {outcome(event)}{more}"


def how_to_answer(event: Event, scope: Scope, shell_command: Sequence[str]) -> str:
    """Return how to answer an event, which an editor cannot ask for.

    What a person copies are whole lines.

    Parameters
    ----------
    scope
        The default scope of requests.
    shell_command
        The command that starts a sidecar with the same backend.
    """
    argument = EventArgument(
        run_name=event.run_name,
        action_name=event.action_name,
        org=None if event.org == scope.org else event.org,
        project=None if event.project == scope.project else event.project,
        domain=None if event.domain == scope.domain else event.domain,
    )
    value = _EXAMPLES[event.expected_type]
    members = {**json.decode(json.encode(argument)), "payload": value}
    call = shlex.join([*shell_command, "call", "events.signal", _json(members)])
    return (
        f"{question(event)}\n"
        f"It expects {_EXPECTED[event.expected_type]}. To answer it, for example with"
        f" {_json(value)}, run the command flyteSidecar.signal with the arguments\n"
        f"{_json([argument, value])}\n"
        f"or run in a shell\n{call}"
    )


_EXPECTED: dict[ExpectedType | None, str] = {
    "bool": "true or false",
    "int": "an int",
    "float": "a float",
    "str": "a str",
    None: "a value of a type that the backend does not report",
}


def none_pending(name: str | None) -> str:
    """Return that there is nothing to choose from, of all events or of those of a name."""
    if name is None:
        return "No event is waiting for this."
    return f"No event named {one_line(name)} is waiting."


def not_found(argument: EventArgument) -> str:
    """Return that there is no such event."""
    name = one_line(argument.name or argument.action_name or "")
    return f"Nothing was changed: run {one_line(argument.run_name)} has no event {name}."


def ambiguous(argument: EventArgument, count: int) -> str:
    """Return that a name does not identify one event."""
    name, run = one_line(argument.name or ""), one_line(argument.run_name)
    return (
        f"Nothing was changed: {count} pending events of run {run} are named {name}."
        " Choose one of them with flyteSidecar.showPending, or pass its actionName."
    )


def another_name(argument: EventArgument, event: Event) -> str:
    """Return that an id belongs to an event with another name."""
    shown = one_line(argument.name or "")
    return f"Nothing was changed: the event is not {shown}, but {title(event)}."


ANOTHER_BACKEND = (
    "Nothing was changed: the event was shown for another backend than the current one."
)


def failure(event: str, error: SidecarError, outcome: object) -> str:
    """Return that a command failed; `outcome` is what is known of the write."""
    known = {"none": "Nothing was changed", "unknown": "It is unknown whether this took effect"}
    return f"{known[str(outcome)]}: {event}: {error_text(error)}"


def labels(events: Sequence[Event]) -> dict[str, Event]:
    """Return the events by distinct short texts."""
    found: dict[str, Event] = {}
    for event in events:
        label = f"{one_line(event.name)} · {one_line(event.run_name)}"
        if label in found:
            label += f" · {one_line(event.action_name)}"
        for number in range(2, len(events) + 2):
            if label not in found:
                break
            label = f"{label.partition(' #')[0]} #{number}"
        found[label] = event
    return found


def _json(value: object) -> str:
    """Return ASCII JSON that an editor shows as it is."""
    text = json.encode(value).decode()
    ascii_text = "".join(c if " " <= c <= "~" else _escaped(c) for c in text)
    return ascii_text.replace("](", "]\\u0028")


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be").hex(" ", 2).split()
    return "".join(f"\\u{unit}" for unit in units)
