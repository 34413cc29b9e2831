"""An editor for tests: it records what it is asked to show, and answers when a test does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct, field

from flyte_sidecar.events.intern_pool import EventKey, event_key
from flyte_sidecar.events.model import Event, Scope
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp.client import MessageKind, ProgressToken
from flyte_sidecar.lsp.settings import Settings
from tests.conftest import TEST_TIMEOUT


class Question(Struct, eq=False):
    message: str
    options: Sequence[str]
    answer: asyncio.Future[str | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def choose(self, option: str | None) -> None:
        assert option is None or option in self.options
        self.answer.set_result(option)


class FakeClient:
    """A client that shows anything.

    Attributes
    ----------
    messages
        What was shown: the kind and the message.
    questions
        The questions so far.
    documents
        The URIs that were shown; None if the client cannot show any.
    progress
        The calls of progress: "begin", "report" or "end", the token, and the text.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[MessageKind, str]] = []
        self.questions: list[Question] = []
        self.documents: list[str] | None = []
        self.progress: list[tuple[str, ProgressToken, str]] = []
        self.shows_progress = True
        self._changed = asyncio.Event()

    async def ask(self, message: str, options: Sequence[str]) -> str | None:
        question = Question(message, options)
        self.questions.append(question)
        self._changed.set()
        return await question.answer

    def show(self, message: str, kind: MessageKind = "info") -> None:
        self.messages.append((kind, message))
        self._changed.set()

    async def show_document(self, uri: str) -> bool:
        if self.documents is None:
            return False
        self.documents.append(uri)
        self._changed.set()
        return True

    async def begin_progress(self, title: str) -> ProgressToken | None:
        if not self.shows_progress:
            return None
        token = len(self.progress)
        self.progress.append(("begin", token, title))
        self._changed.set()
        return token

    def report_progress(self, token: ProgressToken, message: str) -> None:
        self.progress.append(("report", token, message))

    def end_progress(self, token: ProgressToken) -> None:
        self.progress.append(("end", token, ""))
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(TEST_TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def question(self, number: int = 1) -> Question:
        """Wait for the first question, or another one by its number."""
        await self.until(lambda: len(self.questions) >= number)
        return self.questions[number - 1]

    async def message(self, number: int = 1) -> tuple[MessageKind, str]:
        """Wait for the first message, or another one by its number."""
        await self.until(lambda: len(self.messages) >= number)
        return self.messages[number - 1]


class FakeSession:
    """The state of an editor session.

    Attributes
    ----------
    owner_id
        The id of the backend that has all events, if that is one of several.
    waiting
        The pending events that are known to the session.
    refreshes
        How often the events were read again on request.
    """

    backend_id = "b1"
    owner_id: str | None = None
    shell_command: Sequence[str] = ("flyte-sidecar",)

    def __init__(self, service: EventService) -> None:
        self.client = FakeClient()
        self.settings = Settings()
        self.service = service
        self.waiting: list[Event] = []
        self.refreshes = 0

    def backend_id_of(self, scope: Scope) -> str:
        return self.owner_id or self.backend_id

    def pending(self, name: str | None = None) -> Sequence[Event]:
        return [event for event in self.waiting if name in (None, event.name)]

    def pending_event(self, key: EventKey) -> Event | None:
        return next((event for event in self.waiting if event_key(event) == key), None)

    def refresh(self) -> None:
        self.refreshes += 1

    def document_uri(self, event: Event) -> str | None:
        return f"flyte-event:/{event.run_name}/{event.action_name}"
