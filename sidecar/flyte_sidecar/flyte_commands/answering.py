"""`flyte answer`: answer an event by its name."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import rich_click as click
from msgspec import Struct

from flyte_sidecar._futures import resolve
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    PayloadTypeMismatch,
    SidecarError,
)
from flyte_sidecar.events.model import Event, ExpectedType, Payload, Target
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, outcome, title
from flyte_sidecar.events.payload_text import FORMS, parse_payload
from flyte_sidecar.events.plain_text import escape_unsafe, one_line
from flyte_sidecar.events.service import EventService
from flyte_sidecar.flyte_commands.backends import Selected, opened, unavailable
from flyte_sidecar.server.settings import Options

MAX_PROMPT_LENGTH = 4096
"""Characters of a prompt that are shown, the maximum of a deployment."""


class Named(Struct, frozen=True):
    """How a person names an event; `parent` and `action_name` distinguish events of one name."""

    run: str
    name: str
    parent: str | None
    action_name: str | None

    def target(self, service: EventService) -> Target:
        """Return the event as the event core names it."""
        run = service.run(self.run)
        if self.action_name is not None:
            return Target(run, action_name=self.action_name)
        return Target(run, name=self.name, parent=self.parent)

    def __str__(self) -> str:
        return f"{one_line(self.name)} of run {one_line(self.run)}"


def answer_event(selected: Selected, named: Named, value: str | None) -> str:
    """Answer an event, and return its outcome as a sentence.

    Parameters
    ----------
    value
        The answer as text; None to ask for it.

    Raises
    ------
    click.ClickException
        If the event cannot be answered, with the reason as a sentence.
    """
    options, event = asyncio.run(_find(selected, named))
    expected = event.expected_type
    if expected is None:
        where = f": {event.url}" if event.url else ""
        raise click.ClickException(f"the deployment does not report the type of {named}{where}")
    if value is None:
        if not event.pending:
            raise _unchanged(event)
        payload = _ask(event, expected)
    else:
        payload = _parse(event, expected, value)
    return asyncio.run(_signal(options, event, payload))


async def _find(selected: Selected, named: Named) -> tuple[Options, Event]:
    """Return the event, and the options of the first backend that has it."""
    problems = list(selected.problems)
    for options in selected.options:
        async with opened(options) as service:
            try:
                found = await resolve(service.choices(named.target(service)))
            except SidecarError as error:
                problems.append(unavailable(service, error))
                continue
        found = [event for event in found if event.name == named.name]
        if found:
            return options, _only(named, found)
    raise click.ClickException("\n".join([f"There is no event {named}.", *problems]))


def _only(named: Named, found: Sequence[Event]) -> Event:
    if len(found) == 1:
        return found[0]
    lines = [f"Several events {named} wait for an answer. Choose one with --action ID:"]
    width = max(len(event.action_name) for event in found)
    lines += [
        f"  {one_line(event.action_name).ljust(width)}  {one_line(event.prompt or '')}"
        for event in found
    ]
    raise click.ClickException("\n".join(lines))


def _parse(event: Event, expected: ExpectedType, value: str) -> Payload:
    try:
        return parse_payload(value, expected)
    except PayloadTypeMismatch:
        if not event.pending:
            raise _unchanged(event) from None
        raise click.ClickException(f"{title(event)} expects {FORMS[expected]}") from None


def _ask(event: Event, expected: ExpectedType) -> Payload:
    """Ask for the answer at the terminal, until it has the type of the event.

    Raises
    ------
    click.UsageError
        If there is no terminal.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"VALUE is required without a terminal: {title(event)} expects {FORMS[expected]}"
        )
    click.echo(f"{title(event)} asks:", err=True)
    for text in (event.prompt, event.description):
        for line in (text or "")[:MAX_PROMPT_LENGTH].splitlines():
            click.echo(f"  {escape_unsafe(line)}", err=True)

    def parse(text: str) -> Payload:
        try:
            return parse_payload(text, expected)
        except PayloadTypeMismatch as error:
            raise click.UsageError(error.message) from None

    answer: Payload = click.prompt("Answer", value_proc=parse, err=True)
    return answer


def _unchanged(event: Event) -> click.ClickException:
    return click.ClickException(f"Nothing was changed: {outcome(event)}")


async def _signal(options: Options, event: Event, payload: Payload) -> str:
    async with opened(options) as service:
        write = service.write(Target(event.run, action_name=event.action_name))
        try:
            return outcome(await service.signal(write, payload))
        except (AlreadySignalled, AlreadyCompleted) as error:
            raise _unchanged(error.data["event"]) from None
        except SidecarError as error:
            unknown = error.reports_outcome and write.describe()["outcome"] == "unknown"
            effect = "It is unknown whether this took effect" if unknown else "Nothing was changed"
            message = f"{effect}: {one_line(error.message, MAX_TEXT_LENGTH)}"
            raise click.ClickException(message) from None
