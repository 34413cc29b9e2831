"""Lets a person choose one of the events that wait."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec.structs import replace

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli.answering.asking import can_ask
from flyte_sidecar.cli.answering.similar_names import did_you_mean
from flyte_sidecar.cli.listings import pages_of_pending, pages_of_run, report_missing
from flyte_sidecar.cli.search import contains, words_of
from flyte_sidecar.errors import AmbiguousEvent, EventNotFound, RequestCancelled
from flyte_sidecar.events.backend import CANDIDATES
from flyte_sidecar.events.model import PAUSED, Event, UnavailableBackend
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.events.service import EventService

SHOWN = 15
"""Events that are shown at once."""


async def choose(service: EventService, run: str | None, name: str | None) -> Event:
    """Return the only event that waits, or the one that a person chooses at the terminal.

    Raises
    ------
    EventNotFound
        If none waits.
    AmbiguousEvent
        If several wait, and there is no terminal.
    RequestCancelled
        At the end of the input.
    """
    candidates = _Candidates(_waiting(service, run, name))
    first = await candidates.matching("", CANDIDATES + 1)
    if not first:
        what = "event" if name is None else f"event {one_line(name)}"
        where = "" if run is None else f" of run {one_line(run)}"
        hint = "" if run is None else await did_you_mean(service, run, name)
        raise EventNotFound(f"no {what}{where} waits for an answer{hint}")
    if len(first) == 1:
        chosen = first[0]
    elif can_ask():
        chosen = await _choose_at_terminal(candidates)
    else:
        message = "several events wait for an answer: choose one with RUN --action ID"
        raise AmbiguousEvent(message, candidates=first)
    found = await resolve(service.choices(chosen.target))
    if not found:
        raise EventNotFound(f"there is no {chosen.target}")
    return found[0]


async def _waiting(
    service: EventService, run: str | None, name: str | None
) -> AsyncIterator[Event]:
    """Yield the events that wait, without their long texts; report if some may be missing."""
    listed = pages_of_pending(service) if run is None else pages_of_run(service, run, [PAUSED])
    unavailable: list[UnavailableBackend] = []
    async for page in listed:
        unavailable = page.unavailable
        for event in page.events:
            if event.pending and name in (None, event.name):
                prompt = one_line(event.prompt or "", MAX_TEXT_LENGTH)
                yield replace(event, prompt=prompt, description=None)
    report_missing("events", unavailable)


class _Candidates:
    """The events to choose from, which are read as far as they are needed."""

    def __init__(self, waiting: AsyncIterator[Event]) -> None:
        self._waiting = waiting
        self._read: list[Event] = []

    async def matching(self, text: str, count: int) -> list[Event]:
        """Return the first events that contain each word of a text, `count` at most."""
        words = words_of(text)
        found = [event for event in self._read if contains(event, words)]
        while len(found) < count:
            event = await anext(self._waiting, None)
            if event is None:
                break
            self._read.append(event)
            if contains(event, words):
                found.append(event)
        return found[:count]


async def _choose_at_terminal(candidates: _Candidates) -> Event:
    from flyte_sidecar.cli.answering.questions import ChoiceQuestion
    from flyte_sidecar.local_runs.terminal import TerminalClosed, TerminalPrompt

    text, offset, note = "", 0, ""
    while True:
        found = (await candidates.matching(text, offset + SHOWN + 1))[offset:]
        if not found:
            text, offset, note = "", 0, f"No event that waits contains {one_line(text)!r}."
            continue
        question = ChoiceQuestion(events=found[:SHOWN], has_more=len(found) > SHOWN, note=note)
        try:
            entered = await TerminalPrompt(question).answer()
        except TerminalClosed:
            raise RequestCancelled("no event was chosen: nothing was changed") from None
        note = ""
        if isinstance(entered, int):
            return found[entered - 1]
        if entered:
            text, offset = str(entered), 0
        elif len(found) > SHOWN:
            offset += SHOWN
        else:
            text, offset = "", 0
