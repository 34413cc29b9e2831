"""`flyte answer`: answer an event by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import rich_click as click
from msgspec import Struct

from flyte_sidecar._futures import resolve, wait_all
from flyte_sidecar.cli.opened import opened
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    PayloadTypeMismatch,
    SidecarError,
)
from flyte_sidecar.events.model import (
    BACKEND_TITLES,
    Event,
    ExpectedType,
    Payload,
    Target,
)
from flyte_sidecar.events.outcome_text import outcome, title
from flyte_sidecar.events.payload_text import FORMS, mismatch, parse_payload
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.write_order import Write
from flyte_sidecar.flyte_commands.backends import Selected, failure, message_of
from flyte_sidecar.server.settings import is_utf8


class Named(Struct, frozen=True):
    """How a person names an event; `parent` and `action_name` distinguish events of one name."""

    run: str
    name: str
    parent: str | None
    action_name: str | None

    def check(self) -> None:
        """Raise `click.UsageError` if no event can have these names."""
        if self.action_name is not None and self.parent is not None:
            raise click.UsageError("--action and --parent cannot be combined")
        arguments = {"RUN": self.run, "NAME": self.name, "--action": self.action_name}
        for argument, text in arguments.items():
            if text == "":
                raise click.UsageError(f"{argument} must not be empty")
        for text in (self.run, self.name, self.parent or "", self.action_name or ""):
            if not is_utf8(text):
                raise click.UsageError(f"{text!r} is not UTF-8")

    def target(self, service: EventService) -> Target:
        """Return the event as the event core names it."""
        run = service.run(self.run)
        if self.action_name is not None:
            return Target(run, action_name=self.action_name)
        return Target(run, name=self.name, parent=self.parent)

    def not_found(self) -> str:
        """Return that there is no such event, and how to find the events that wait."""
        if self.action_name is not None:
            detail = f"with the action name {one_line(self.action_name)}"
        elif self.parent is not None:
            detail = f"of the parent action {one_line(self.parent)}"
        else:
            return f"There is no event {self}. `flyte pending` lists the events that wait."
        return (
            f"Run {one_line(self.run)} has no event {one_line(self.name)} {detail}."
            " `flyte pending --json` shows the actionName and the parent of each event that waits."
        )

    def __str__(self) -> str:
        return f"{one_line(self.name)} of run {one_line(self.run)}"


def answer_event(selected: Selected, named: Named, value: str | None) -> str:
    """Answer an event, and return its outcome as a sentence.

    Parameters
    ----------
    value
        The answer as text; None to ask for it at the terminal.

    Raises
    ------
    click.ClickException
        If the event is not answered, with the reason as a sentence.
    """
    named.check()
    return asyncio.run(_answer(selected, named, value))


async def _answer(selected: Selected, named: Named, value: str | None) -> str:
    async with AsyncExitStack() as stack:
        service, event = await _find(stack, named, selected)
        expected = event.expected_type
        if expected is None:
            where = f": {event.url}" if event.url else ""
            raise click.ClickException(f"the deployment does not report the type of {named}{where}")
        if value is None:
            payload = await _ask(service, event, expected)
        else:
            payload = _parse(event, expected, value)
        return await _signal(service, event, payload)


async def _find(
    stack: AsyncExitStack, named: Named, selected: Selected
) -> tuple[EventService, Event]:
    """Return the event that waits, of a local run or else of the deployment.

    The service of its backend is open until the stack is closed.

    Raises
    ------
    click.ClickException
        If no event waits: with the outcome of the one that has ended, if there is one.
    """
    ended: Event | None = None
    problems = [*selected.problems]
    unread = None
    for options in selected.each():
        service = await stack.enter_async_context(opened(options))
        try:
            choices = await resolve(service.choices(named.target(service)))
        except SidecarError as error:
            unread = f"{BACKEND_TITLES[options.backend].capitalize()} cannot be read"
            problems.append(f"{unread}: {message_of(error)}")
            continue
        found = [event for event in choices if event.name == named.name]
        if found and not service.is_over(found[0]):
            return service, _only(named, found)
        ended = ended or next(iter(found), None)
    if ended is not None:
        raise _unchanged(ended, problems)
    raise failure(f"The event {named} was not found." if unread else named.not_found(), problems)


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
        message = f"{mismatch(value, expected)}: {title(event)} expects {FORMS[expected]}"
        raise click.ClickException(message) from None


async def _ask(service: EventService, event: Event, expected: ExpectedType) -> Payload:
    """Ask for the answer at the terminal, unless the event is resolved meanwhile.

    Raises
    ------
    click.UsageError
        If there is no terminal.
    click.ClickException
        If the event is resolved.
    click.Abort
        At the end of the input.
    """
    if not event.pending:
        raise _unchanged(event)
    from flyte_sidecar.local_runs.terminal import (
        ConditionQuestion,
        TerminalClosed,
        TerminalPrompt,
        has_terminal,
    )

    if not has_terminal():
        message = f"VALUE is required without a terminal: {title(event)} expects {FORMS[expected]}"
        raise click.UsageError(message)
    asking = asyncio.ensure_future(TerminalPrompt(ConditionQuestion.of(event)).answer())
    waiting = asyncio.ensure_future(resolve(service.wait(_target(event))))
    try:
        await asyncio.wait((asking, waiting), return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        raise _unchanged(waiting.result())
    except TerminalClosed:
        raise click.Abort from None
    except SidecarError as error:
        raise _failed(error) from None
    finally:
        asking.cancel()
        waiting.cancel()
        await wait_all((asking, waiting))


async def _signal(service: EventService, event: Event, payload: Payload) -> str:
    write = service.write(_target(event))
    try:
        return outcome(await service.signal(write, payload))
    except (AlreadySignalled, AlreadyCompleted) as error:
        raise _unchanged(error.data["event"]) from None
    except SidecarError as error:
        raise _failed(error, write) from None


def _target(event: Event) -> Target:
    return Target(event.run, action_name=event.action_name)


def _unchanged(event: Event, problems: Sequence[str] = ()) -> click.ClickException:
    return failure(f"Nothing was changed: {outcome(event, earlier=True)}", problems)


def _failed(error: SidecarError, write: Write | None = None) -> click.ClickException:
    known = write.describe()["outcome"] if write and error.reports_outcome else "none"
    effect = "Nothing was changed" if known == "none" else "It is unknown whether this took effect"
    return failure(f"{effect}: {message_of(error)}")
