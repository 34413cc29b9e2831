"""The commands of `workspace/executeCommand`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, TypeAlias, TypeGuard

from flyte_sidecar.errors import InvalidParams, PayloadTypeMismatch
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.model import Event, ExpectedType, Payload
from flyte_sidecar.events.payload_text import FORMS, parse_payload
from flyte_sidecar.lsp import command_texts as texts
from flyte_sidecar.lsp.answers import Answers
from flyte_sidecar.lsp.client import SessionState
from flyte_sidecar.lsp.event_arguments import (
    EventArgument,
    accept,
    event_argument,
    invalid,
    is_text,
    split_arguments,
)

RESPONSE_TIMEOUT = 5.0
"""Seconds after which a command is answered although it has not ended.

Emacs blocks until a command is answered, for 10 s at most.
"""

DIALOG_DELAY = 0.05
"""Seconds before a command asks the person, so that its response arrives before the question.

Emacs would otherwise ask while it waits for the response.
"""

Work: TypeAlias = Coroutine[Any, Any, Event | str | None]


class Commands:
    """The commands of one editor session."""

    def __init__(
        self,
        session: SessionState,
        answers: Answers,
        response_timeout: float = RESPONSE_TIMEOUT,
        dialog_delay: float = DIALOG_DELAY,
    ) -> None:
        self._session = session
        self._answers = answers
        self._response_timeout = response_timeout
        self._dialog_delay = dialog_delay
        self._background = BackgroundTasks()
        self._commands: dict[str, Callable[[str, Sequence[object]], Work]] = {
            "flyteSidecar.approve": lambda *given: self._approve(*given, approved=True),
            "flyteSidecar.reject": lambda *given: self._approve(*given, approved=False),
            "flyteSidecar.signal": self._signal,
            "flyteSidecar.answer": self._answer_text,
            "flyteSidecar.checkAnswer": self._check_answer,
            "flyteSidecar.abort": self._abort,
            "flyteSidecar.refresh": self._refresh,
            "flyteSidecar.showPending": self._show_pending,
            "flyteSidecar.showEvent": self._show_event,
        }

    @property
    def names(self) -> Collection[str]:
        """The names of the commands."""
        return self._commands.keys()

    async def execute(self, command: str, arguments: Sequence[object]) -> Event | str | None:
        """Run a command, and return the event after it; `checkAnswer` returns a sentence.

        Returns None if the command asks the person or takes longer than the timeout, and continues
        in the background; and if it changed nothing, after a message that says why.

        Raises
        ------
        InvalidParams
            If the command is unknown or an argument is not valid.
        """
        if command not in self._commands:
            raise InvalidParams("unknown command", path="/command")
        work = self._background.start(self._commands[command](command, arguments))
        try:
            await asyncio.wait({work}, timeout=self._response_timeout)
        except asyncio.CancelledError:
            work.cancel()
            raise
        return work.result() if work.done() else None

    async def close(self) -> None:
        """Cancel the commands that still run, and their questions."""
        await self._background.close()

    def _approve(self, command: str, arguments: Sequence[object], *, approved: bool) -> Work:
        event, _ = split_arguments(command, arguments)
        if event is not None:
            return self._answers.approve(event, approved=approved)
        return self._choose(
            "Approve which event?" if approved else "Reject which event?",
            lambda event: event.expected_type in ("bool", None),
            lambda _, chosen: self._answers.approve(chosen, approved=approved),
            writes=True,
        )

    def _signal(self, command: str, arguments: Sequence[object]) -> Work:
        event, more = split_arguments(command, arguments, 1)
        value = more[0] if more else None
        if value is not None and not _is_payload(value):
            raise invalid(command, len(arguments) - 1, "must be a boolean, a number or a string")
        if event is not None:
            return self._answer(event, value)
        return self._choose(
            "Answer which event?",
            _any,
            lambda _, chosen: self._answer(chosen, value),
            writes=value is not None,
        )

    async def _answer(self, argument: EventArgument, value: Payload | None) -> Event | None:
        if value is not None:
            return await self._answers.signal(argument, value)
        backend = self._session.backend_id
        event = await self._answers.find_pending(argument)
        if event is None:
            return None
        if event.expected_type in ("bool", None):
            self._later(lambda: self._ask(event, event_argument(event, backend)))
        else:
            self._answers.explain(event)
        return None

    def _answer_text(self, command: str, arguments: Sequence[object]) -> Work:
        event, more = split_arguments(command, arguments, 1)
        if event is None:
            raise invalid(command, 0, "must be an event")
        if not (more and is_text(more[0])):
            raise invalid(command, len(arguments) - 1, "must be a string: what a person has typed")
        return self._answers.answer(event, more[0])

    async def _check_answer(self, command: str, arguments: Sequence[object]) -> str | None:
        """Return what is wrong with a text as an answer, None if nothing is."""
        if len(arguments) != 2:
            raise InvalidParams(f"{command} expects two arguments", path="/arguments")
        expected, text = arguments
        if not _is_type(expected):
            raise invalid(command, 0, "must be the type of an event, or null")
        if not is_text(text):
            raise invalid(command, 1, "must be a string: what a person has typed")
        try:
            parse_payload(text, expected)
        except PayloadTypeMismatch as error:
            return f"{error.message[:1].upper()}{error.message[1:]}."
        return None

    def _abort(self, command: str, arguments: Sequence[object]) -> Work:
        event, more = split_arguments(command, arguments, 1)
        reason = more[0] if more else None
        if not (reason is None or is_text(reason)):
            raise invalid(command, len(arguments) - 1, "must be a string: the reason")
        if event is not None:
            return self._answers.abort(event, reason)
        return self._choose(
            "Abort which event?",
            _any,
            lambda _, chosen: self._answers.abort(chosen, reason),
            writes=True,
        )

    def _refresh(self, command: str, arguments: Sequence[object]) -> Work:
        accept(command, arguments, 0)
        return self._refreshed()

    async def _refreshed(self) -> None:
        self._session.refresh()

    def _show_pending(self, command: str, arguments: Sequence[object]) -> Work:
        accept(command, arguments, 1)
        name = arguments[0] if arguments else None
        if not (name is None or is_text(name)):
            raise invalid(command, 0, "must be a string: the name of events")
        return self._choose(
            "Which event?",
            _any,
            self._ask,
            name,
        )

    async def _ask(self, event: Event, argument: EventArgument) -> None:
        await self._answers.ask(argument, event.expected_type, texts.question(event))

    def _show_event(self, command: str, arguments: Sequence[object]) -> Work:
        event, _ = split_arguments(command, arguments)
        if event is not None:
            return self._show(event)
        return self._choose("Show which event?", _any, lambda event, _: self._answers.show(event))

    async def _show(self, argument: EventArgument) -> Event | None:
        event = await self._answers.find(argument)
        if event is not None:
            self._later(lambda: self._answers.show(event))
        return event

    async def _choose(
        self,
        question: str,
        suitable: Callable[[Event], bool],
        use: Callable[[Event, EventArgument], Coroutine[Any, Any, object]],
        name: str | None = None,
        *,
        writes: bool = False,
    ) -> None:
        """Let the person choose a pending event after the response, and use it."""

        async def choose() -> None:
            chosen = await self._answers.choose(question, suitable, name, writes=writes)
            if chosen is not None:
                await use(*chosen)

        self._later(choose)

    def _later(self, dialog: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run a dialog after the response."""

        async def later() -> None:
            await asyncio.sleep(self._dialog_delay)
            await dialog()

        self._background.start(later())


def _any(_: Event) -> bool:
    return True


def _is_type(value: object) -> TypeGuard[ExpectedType | None]:
    return (value is None or isinstance(value, str)) and value in FORMS


def _is_payload(value: object) -> TypeGuard[Payload]:
    """Return whether a JSON value can be an answer. Python's decoder accepts NaN and 1e999."""
    if isinstance(value, float):
        return math.isfinite(value)
    return is_text(value) or isinstance(value, int)
