"""`flyte answer`: answer an event by its name."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import rich_click as click

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli.answering.asking import answer
from flyte_sidecar.cli.answering.event_name import EventName, candidate_lines, only
from flyte_sidecar.cli.answering.writes import ended_before
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.opened import opened
from flyte_sidecar.errors import AmbiguousEvent, RequestCancelled, SidecarError
from flyte_sidecar.events.model import BACKEND_TITLES, Event
from flyte_sidecar.events.outcome_text import outcome
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.events.service import EventService
from flyte_sidecar.flyte_commands.backends import Selected, failure, message_of
from flyte_sidecar.server.settings import is_utf8


def answer_event(selected: Selected, named: EventName, value: str | None) -> str:
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
    try:
        _check(named)
        return outcome(asyncio.run(_answer(selected, named, value)))
    except UsageError as error:
        raise click.UsageError(str(error)) from None
    except AmbiguousEvent as error:
        lines = [error.message, *candidate_lines(error.data["candidates"])]
        raise click.ClickException("\n".join(lines)) from None
    except RequestCancelled:
        raise click.Abort from None
    except SidecarError as error:
        raise click.ClickException(error.message) from None


def _check(named: EventName) -> None:
    """Raise `UsageError` if no event can have these names."""
    named.check()
    for text in (named.run, named.name or "", named.parent or "", named.action_name or ""):
        if not is_utf8(text):
            raise UsageError(f"{text!r} is not UTF-8")


async def _answer(selected: Selected, named: EventName, value: str | None) -> Event:
    async with AsyncExitStack() as stack:
        service, event = await _find(stack, named, selected)
        if event.expected_type is None:
            where = f": {event.url}" if event.url else ""
            raise click.ClickException(f"the deployment does not report the type of {named}{where}")
        return await answer(service, event, value)


async def _find(
    stack: AsyncExitStack, named: EventName, selected: Selected
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
            return service, only(named, found)
        ended = ended or next(iter(found), None)
    if ended is not None:
        raise failure(ended_before(ended).message, problems)
    raise failure(f"The event {named} was not found." if unread else _not_found(named), problems)


def _not_found(named: EventName) -> str:
    """Return that there is no such event, and how to find the events that wait."""
    if named.action_name is not None:
        detail = f"with the action name {one_line(named.action_name)}"
    elif named.parent is not None:
        detail = f"of the parent action {one_line(named.parent)}"
    else:
        return f"There is no event {named}. `flyte pending` lists the events that wait."
    return (
        f"Run {one_line(named.run)} has no event {one_line(named.name or '')} {detail}."
        " `flyte pending --json` shows the actionName and the parent of each event that waits."
    )
