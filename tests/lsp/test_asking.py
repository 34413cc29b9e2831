"""Asking when a run starts to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from flyte_sidecar.events.delivery_leases import PERSON, DeliveryLeases
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp import asking
from flyte_sidecar.lsp.answers import Answers
from flyte_sidecar.lsp.asking import Asking
from flyte_sidecar.lsp.settings import Settings
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import settle
from tests.lsp.fake_editor import FakeSession
from tests.lsp.test_commands import CommandTester


class Window(CommandTester):
    """An editor's window whose session learns of events when a test reports them."""

    def __init__(self, session: FakeSession, folder: Callable[[], Path]) -> None:
        super().__init__(session)
        leases = DeliveryLeases(folder, PERSON)
        self.asking = Asking(session, Answers(session).ask_about, leases)

    async def start_waiting(self, name: str = "deploy", run: str = "r1", **more: str) -> Event:
        event = await self.make(name, run, **more)
        self.asking.on_waiting(event)
        return event

    def notice_end(self, event: Event) -> None:
        self.session.waiting.remove(event)
        self.asking.on_change()

    async def all_claimed(self) -> None:
        """Wait until no event is being claimed: each has a question or none."""
        async with asyncio.timeout(TEST_TIMEOUT):
            # A thread claims the events.
            while len(self.asking._background) > self.open_questions:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    @property
    def open_questions(self) -> int:
        return sum(not question.answer.done() for question in self.client.questions)


@pytest.fixture
async def new_window(session: FakeSession, tmp_path: Path) -> AsyncIterator[Callable[[], Window]]:
    windows: list[Window] = []

    def new_window() -> Window:
        own = FakeSession(EventService(session.service.backend))
        windows.append(Window(own, lambda: tmp_path / "state"))
        return windows[-1]

    yield new_window
    for window in windows:
        await window.asking.close()


@pytest.fixture
def window(new_window: Callable[[], Window]) -> Window:
    return new_window()


@pytest.mark.parametrize(("option", "answer"), [("Approve r1", True), ("Reject r1", False)])
async def test_the_answer_to_a_question_is_recorded(
    window: Window, option: str, answer: bool
) -> None:
    event = await window.start_waiting(prompt="Deploy?")
    question = await window.client.question()
    assert question.message == "r1 asks: Deploy? (deploy)"
    assert question.options == ["Not now", "Show", "Approve r1", "Reject r1"]
    question.choose(option)
    await window.client.message()
    assert (await window.current(event)).payload is answer


async def test_an_editor_of_both_backends_does_not_ask_again_what_one_of_a_single_backend_asked(
    new_window: Callable[[], Window],
) -> None:
    one, both = new_window(), new_window()
    both.session.backend_id, both.session.owner_id = "of both", one.session.backend_id
    event = await one.start_waiting()
    await one.client.question()
    both.session.waiting.append(event)
    both.asking.on_waiting(event)
    await both.all_claimed()
    assert both.open_questions == 0


async def test_how_to_answer_another_type_is_explained(window: Window) -> None:
    event = await window.start_waiting(expected_type="int")
    question = await window.client.question()
    assert question.options == ["Not now", "Show", "How to answer"]
    question.choose("How to answer")
    assert "flyteSidecar.signal" in (await window.client.message())[1]
    assert (await window.current(event)).pending


async def test_a_question_about_an_event_that_was_answered_elsewhere_changes_nothing(
    window: Window,
) -> None:
    event = await window.start_waiting()
    question = await window.client.question()
    await window.answer_elsewhere(event, False)
    window.notice_end(event)
    question.choose("Approve r1")
    kind, message = await window.client.message()
    assert kind == "warning"
    assert "was rejected" in message
    assert (await window.current(event)).payload is False


async def test_one_of_several_windows_asks(new_window: Callable[[], Window]) -> None:
    windows = [new_window() for _ in range(4)]
    event = await windows[0].make()
    for window in windows:
        window.session.waiting = [event]
        window.asking.on_waiting(event)
    for window in windows:
        await window.all_claimed()
    assert sum(len(window.client.questions) for window in windows) == 1


async def test_nobody_is_asked_about_what_the_desktop_has_shown(
    window: Window, tmp_path: Path
) -> None:
    event = await window.make()
    desktop = DeliveryLeases(lambda: tmp_path / "state", PERSON)
    assert desktop.take((window.session.backend_id_of(event.run.scope), event_key(event)))
    window.session.waiting = [event]
    window.asking.on_waiting(event)
    await window.all_claimed()
    assert window.client.questions == []


async def test_nobody_asks_again_after_a_restart(new_window: Callable[[], Window]) -> None:
    first = new_window()
    event = await first.start_waiting()
    await first.client.question()
    await first.asking.close()
    second = new_window()
    second.session.waiting = [event]
    second.asking.on_waiting(event)
    await second.all_claimed()
    assert second.client.questions == []


@pytest.mark.parametrize(
    "settings", [Settings(asking=False), Settings(asking_runs=("x*",)), Settings(runs=("x*",))]
)
async def test_the_settings_select_what_is_asked(window: Window, settings: Settings) -> None:
    window.session.settings = settings
    await window.start_waiting(run="r1")
    await window.all_claimed()
    assert window.client.questions == []
    if settings.asking:
        await window.start_waiting(run="x1")
        await window.client.question()


async def test_few_questions_are_open_at_once_and_the_others_follow(window: Window) -> None:
    for number in range(5):
        await window.start_waiting(f"n{number}")
    await window.client.question(3)
    await window.all_claimed()
    assert window.open_questions == 3
    window.client.questions[0].choose(None)
    await window.client.question(4)
    window.client.questions[1].choose("Approve r1")
    await window.client.question(5)
    assert len({question.message for question in window.client.questions}) == 5


async def test_an_event_that_is_answered_elsewhere_frees_its_place(window: Window) -> None:
    events = [await window.start_waiting(f"n{number}") for number in range(5)]
    await window.client.question(3)
    window.session.waiting.remove(events[3])  # answered while it waits: nobody is asked
    window.notice_end(events[0])
    question = await window.client.question(4)
    assert "n4" in question.message
    await window.all_claimed()
    assert len(window.client.questions) == 4


async def test_no_question_appears_after_asking_is_switched_off(window: Window) -> None:
    for number in range(5):
        await window.start_waiting(f"n{number}")
    await window.client.question(3)
    window.session.settings = Settings(asking=False)
    for question in [*window.client.questions]:
        question.choose(None)
    await settle()
    await window.all_claimed()
    assert len(window.client.questions) == 3


async def test_the_events_of_another_backend_are_not_asked_about(window: Window) -> None:
    for number in range(5):
        await window.start_waiting(f"n{number}")
    await window.client.question(3)
    window.session.backend_id = "b2"
    window.asking.on_change()
    for question in [*window.client.questions]:
        question.choose(None)
    await settle()
    await window.all_claimed()
    assert len(window.client.questions) == 3


async def test_stale_questions_are_withdrawn_when_there_are_many(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.asking, "_max_stale", 2)
    for number in range(3):
        event = await window.start_waiting(f"n{number}")
        await window.client.question(number + 1)
        window.notice_end(event)
    await settle()
    cancelled = [question.answer.cancelled() for question in window.client.questions]
    assert cancelled == [True, False, False]


async def test_the_events_that_wait_for_a_question_are_bounded_in_number(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MAX_WAITING", 2)
    for number in range(10):
        await window.start_waiting(f"n{number}")
    await window.all_claimed()
    while window.open_questions:
        next(q for q in window.client.questions if not q.answer.done()).choose(None)
        await settle()
        await window.all_claimed()
    assert len(window.client.questions) == 5


def unknown_folder() -> Path:
    raise RuntimeError("the home folder is unknown")


def unusable_folder() -> Path:
    return Path("/dev/null/state")


@pytest.mark.posix
@pytest.mark.parametrize("folder", [unknown_folder, unusable_folder])
async def test_a_folder_that_cannot_be_used_does_not_prevent_questions(
    session: FakeSession, folder: Callable[[], Path], caplog: pytest.LogCaptureFixture
) -> None:
    window = Window(session, folder)
    await window.start_waiting("n1")
    await window.start_waiting("n2")
    await window.client.question(2)
    assert caplog.text.count("several windows may ask about the same event") == 1
    window.asking.on_waiting(window.session.waiting[0])
    await window.all_claimed()
    assert len(window.client.questions) == 2
    await window.asking.close()


async def test_a_long_or_hostile_prompt_is_one_short_line(window: Window) -> None:
    await window.start_waiting(prompt="a\n\x1b[31m\u202e[x](command:y)" * 1000)
    question = await window.client.question()
    assert question.message.isprintable()
    assert "](" not in question.message
    assert len(question.message) < 500
