"""Where a person at the process of a run can answer a condition."""

from __future__ import annotations

import asyncio
import sys
from typing import Protocol

from flyte_sidecar.events.model import Event, Payload
from flyte_sidecar.events.payloads import same
from flyte_sidecar.local_runs import notices, open_waits
from flyte_sidecar.local_runs.terminal import ConditionQuestion, TerminalClosed, TerminalPrompt


def notebook_asks() -> bool:
    """Return whether this is the kernel of a notebook, which asks by itself and cannot stop it."""
    app = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    return app is not None and app.initialized() and app.instance().kernel._allow_stdin is True


class AnswerSource(Protocol):
    """A place where a person can answer one condition."""

    async def answer(self) -> Payload:
        """Wait for the answer."""

    def close(self, event: Event | None) -> None:
        """Withdraw the question.

        Parameters
        ----------
        event
            The resolved event; None if the task no longer waits.
        """


class TerminalAnswer:
    """A prompt at the terminal of the run."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._answer: Payload | None = None
        self._prompt = TerminalPrompt(ConditionQuestion.of(event))

    async def answer(self) -> Payload:
        """Wait for the answer. If the terminal is closed, the answer must come from elsewhere."""
        try:
            self._answer = await self._prompt.answer()
        except TerminalClosed:
            return await Announcement(self._event).answer()
        return self._answer

    def close(self, event: Event | None) -> None:
        line = None
        if event is not None and (self._answer is None or not same(self._answer, event.payload)):
            line = notices.ended(event)
        self._prompt.close(line)


class Announcement:
    """A line that says what waits and how to answer it from elsewhere."""

    def __init__(self, event: Event) -> None:
        notices.show(notices.waiting(event, ambiguous=open_waits.has_namesake(event)))

    async def answer(self) -> Payload:
        """Wait forever: there is no way to answer here."""
        never: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        return await never

    def close(self, event: Event | None) -> None:
        if event is not None:
            notices.show(notices.ended(event))
