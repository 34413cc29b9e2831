"""Asks for an answer at the terminal, until somebody else has answered."""

from __future__ import annotations

import asyncio

from flyte_sidecar._futures import resolve, wait_all
from flyte_sidecar.cli.answering.values import parse
from flyte_sidecar.cli.answering.writes import ended_before, failed, signal
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.errors import PayloadTypeMismatch, RequestCancelled, SidecarError
from flyte_sidecar.events.model import Event, Payload
from flyte_sidecar.events.outcome_text import title
from flyte_sidecar.events.payload_text import FORMS
from flyte_sidecar.events.service import EventService


def can_ask() -> bool:
    """Return whether a person can be asked: this process is in the foreground of a terminal."""
    from flyte_sidecar.local_runs.terminal import has_terminal

    return has_terminal()


async def ask(service: EventService, event: Event) -> Payload:
    """Ask for the answer to an event at the terminal.

    Raises
    ------
    UsageError
        If there is no terminal.
    SidecarError
        If the event has ended, also while the terminal asks.
    RequestCancelled
        At the end of the input.
    """
    if not event.pending:
        raise ended_before(event)
    if not can_ask():
        expected = FORMS[event.expected_type]
        raise UsageError(f"VALUE is required without a terminal: {title(event)} expects {expected}")
    from flyte_sidecar.cli.answering.questions import AnswerQuestion
    from flyte_sidecar.local_runs.terminal import TerminalClosed, TerminalPrompt

    asking = asyncio.ensure_future(TerminalPrompt(AnswerQuestion(event)).answer())
    waiting = asyncio.ensure_future(resolve(service.wait(event.target)))
    try:
        await asyncio.wait((asking, waiting), return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        ended = waiting.result()
    except TerminalClosed:
        raise RequestCancelled(f"no answer was entered: {title(event)} still waits") from None
    except SidecarError as error:
        raise failed(error) from None
    finally:
        asking.cancel()
        waiting.cancel()
        await wait_all((asking, waiting))
    raise ended_before(ended)


async def answer(service: EventService, event: Event, value: str | None) -> Event:
    """Answer an event, and return its new state.

    Parameters
    ----------
    value
        The answer as text; None to ask for it at the terminal.

    Raises
    ------
    UsageError
        As `ask`.
    SidecarError
        If the event is not answered, with the reason and whether anything was changed.
    """
    if value is None:
        payload = await ask(service, event)
    else:
        payload = _parse(event, value)
    return await signal(service, event, payload)


def _parse(event: Event, value: str) -> Payload:
    try:
        return parse(event, value)
    except PayloadTypeMismatch:
        if not event.pending:
            raise ended_before(event) from None
        raise
