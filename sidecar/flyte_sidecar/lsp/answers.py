"""Answering exactly the event that a person has seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flyte_sidecar._futures import resolve
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    PayloadTypeMismatch,
    SidecarError,
)
from flyte_sidecar.events.model import Event, ExpectedType, Payload, Target
from flyte_sidecar.events.outcome_text import outcome, title
from flyte_sidecar.events.payload_text import parse_payload
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.write_order import Write
from flyte_sidecar.lsp import command_texts as texts
from flyte_sidecar.lsp.client import MessageKind, SessionState
from flyte_sidecar.lsp.event_arguments import EventArgument, event_argument
from flyte_sidecar.lsp.texts import action

SHOW, HOW_TO_ANSWER = "Show", "How to answer"
"""Options of a question."""

NOT_NOW = "Not now"
"""The first option of a question whose options change an event.

Emacs chooses the first option when the person types Return, which may be meant for the file.
"""

MAX_CHOICES = 20
"""Number of events among which a person chooses; VS Code shows each as a button."""


class Answers:
    """Answers and aborts events, and reports to the person what happened.

    An event is read before it is written. If it is not pending any more, or not the one that the
    argument describes, nothing is written. The methods return None after they have reported why.
    """

    def __init__(self, session: SessionState) -> None:
        self._session = session

    async def find(self, argument: EventArgument) -> Event | None:
        """Return the event, whether or not it is pending."""
        found = await self._find(argument)
        return None if found is None else found[1]

    async def find_pending(self, argument: EventArgument) -> Event | None:
        """Return the event if it is pending."""
        found = await self._find_pending(argument)
        return None if found is None else found[1]

    async def approve(self, argument: EventArgument, *, approved: bool) -> Event | None:
        """Answer an event that expects a bool, and return it."""
        found = await self._find_pending(argument)
        if found is None:
            return None
        service, event = found
        if event.expected_type not in ("bool", None):
            self.explain(event)
            return None
        return await self._signal(service, event, approved)

    async def signal(self, argument: EventArgument, value: Payload) -> Event | None:
        """Answer an event of any type, and return it."""
        found = await self._find_pending(argument)
        return None if found is None else await self._signal(*found, value)

    async def answer(self, argument: EventArgument, text: str) -> Event | None:
        """Answer an event with a text that a person has typed, and return the event."""
        found = await self._find_pending(argument)
        if found is None:
            return None
        service, event = found
        try:
            value = parse_payload(text, event.expected_type)
        except PayloadTypeMismatch as error:
            self._show(f"Nothing was changed: {error.message}.", "error")
            return None
        return await self._signal(service, event, value)

    async def abort(self, argument: EventArgument, reason: str | None) -> Event | None:
        """Abort an event, and return it."""
        found = await self._find_pending(argument)
        if found is None:
            return None
        service, event = found
        return await self._write(service, event, lambda write: service.abort(write, reason))

    def ask_about(self, event: Event, backend: str) -> Awaitable[None]:
        """Ask for the answer to an event of a backend, and record it."""
        argument, message = event_argument(event, backend), texts.question(event)
        return self.ask(argument, event.expected_type, message)

    async def ask(
        self,
        argument: EventArgument,
        expected_type: ExpectedType | None,
        message: str,
        *,
        show: bool = True,
    ) -> None:
        """Ask for the answer to an event, and record it.

        Parameters
        ----------
        show
            Whether the person can look at the event before answering it.
        """
        # With the run, so that the history of earlier answers suggests none of them.
        approve, reject = (action(name, argument.run_name) for name in ("approve", "reject"))
        is_bool = expected_type in ("bool", None)
        answers = [approve, reject] if is_bool else [HOW_TO_ANSWER]
        harmless = [NOT_NOW, SHOW] if show else [NOT_NOW]
        chosen = await self._session.client.ask(message, [*harmless, *answers])
        if is_bool and chosen in answers:
            await self.approve(argument, approved=chosen == approve)
        elif chosen == HOW_TO_ANSWER:
            event = await self.find_pending(argument)
            if event is not None:
                self.explain(event)
        elif chosen == SHOW:
            event = await self.find_pending(argument)
            if event is not None:
                await self.show(event)
                await self.ask(argument, expected_type, message, show=False)

    async def choose(
        self,
        question: str,
        suitable: Callable[[Event], bool],
        name: str | None = None,
        *,
        writes: bool = False,
    ) -> tuple[Event, EventArgument] | None:
        """Let the person choose one of the pending events, even if there is only one.

        Parameters
        ----------
        writes
            Whether the choice changes the event without another question.
        """
        session, backend = self._session, self._session.backend_id
        events = [event for event in session.pending(name) if suitable(event)]
        if not events:
            self._show(texts.none_pending(name))
            return None
        options = texts.labels(events[:MAX_CHOICES])
        more = len(events) - len(options)
        chosen = await session.client.ask(
            f"{question} ({more} more are not shown)" if more else question,
            [NOT_NOW, *options] if writes else [*options],
        )
        if chosen is None or chosen not in options:
            return None
        return options[chosen], event_argument(options[chosen], backend)

    async def show(self, event: Event) -> None:
        """Show an event: its document, or else a message."""
        uri = self._session.document_uri(event)
        if uri is None or not await self._session.client.show_document(uri):
            self._show(texts.summary(event))

    def explain(self, event: Event) -> None:
        """Show how to answer an event for which the editor has no input."""
        scope = self._session.service.scope(None, None, None)
        self._show(texts.how_to_answer(event, scope, self._session.shell_command))

    async def _find_pending(self, argument: EventArgument) -> tuple[EventService, Event] | None:
        found = await self._find(argument)
        if found is not None and not found[1].pending:
            self._report_stale(found[1])
            return None
        return found

    def _report_stale(self, event: Event) -> None:
        """Report how an event has ended, and whether another one of its name waits."""
        same_name = self._session.pending(event.name)
        others = [
            other
            for other in same_name
            if other.run == event.run and other.action_name != event.action_name
        ]
        self._show(texts.stale(event, another=bool(others)), "warning")

    async def _find(self, argument: EventArgument) -> tuple[EventService, Event] | None:
        """Return the event and the service that has read it, which may be replaced meanwhile."""
        if argument.backend not in (None, self._session.backend_id):
            self._show(texts.ANOTHER_BACKEND, "warning")
            return None
        service = self._session.service
        run = service.run(argument.run_name, argument.org, argument.project, argument.domain)
        try:
            if argument.action_name is not None:
                target = Target(run, action_name=argument.action_name)
                read = await resolve(service.get(target))
                choices = [] if read is None else [read]
            else:
                choices = [*await resolve(service.choices(Target(run, name=argument.name)))]
        except SidecarError as error:
            self._show(texts.failure(argument.name or "the event", error, "none"), "error")
            return None
        if not choices:
            self._show(texts.not_found(argument), "warning")
        elif len(choices) > 1:
            self._show(texts.ambiguous(argument, len(choices)), "warning")
        elif argument.name not in (None, choices[0].name):
            self._show(texts.another_name(argument, choices[0]), "warning")
        else:
            return service, choices[0]
        return None

    async def _signal(self, service: EventService, event: Event, value: Payload) -> Event | None:
        try:
            return await self._write(service, event, lambda write: service.signal(write, value))
        except PayloadTypeMismatch as error:
            self._show(f"Nothing was changed: {error.message}.", "error")
            self.explain(event)
            return None

    async def _write(
        self, service: EventService, event: Event, perform: Callable[[Write], Awaitable[Event]]
    ) -> Event | None:
        write = service.write(event.target)
        try:
            result = await perform(write)
        except PayloadTypeMismatch:
            raise
        except (AlreadySignalled, AlreadyCompleted) as error:
            self._report_stale(error.data["event"])
        except SidecarError as error:
            known = write.describe()["outcome"] if error.reports_outcome else "none"
            self._show(texts.failure(title(event), error, known), "error")
        else:
            self._show(outcome(result))
            return result
        return None

    def _show(self, message: str, kind: MessageKind = "info") -> None:
        self._session.client.show(message, kind)
