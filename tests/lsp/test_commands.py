"""The commands, on an embedded store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from flyte_sidecar._futures import resolve
from flyte_sidecar.errors import BackendUnavailable, InvalidParams
from flyte_sidecar.events.model import Event, NewEvent, Payload, Target
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp.answers import Answers
from flyte_sidecar.lsp.commands import Commands
from flyte_sidecar.lsp.event_arguments import for_command
from tests.contract.harness import settle
from tests.lsp.fake_editor import FakeSession


class CommandTester:
    """Runs commands in a session, and looks at the store from elsewhere."""

    def __init__(self, session: FakeSession, **options: float) -> None:
        self.session = session
        self.client = session.client
        self.elsewhere = EventService(session.service.backend)
        self.commands = Commands(
            session, Answers(session), **{"response_timeout": 60.0, "dialog_delay": 0.0, **options}
        )

    async def make(self, name: str = "deploy", run: str = "r1", **more: Any) -> Event:
        new = NewEvent(run=self.elsewhere.run(run), name=name, **more)
        event = await self.elsewhere.create(self.elsewhere.write(Target(new.run, name=name)), new)
        self.session.waiting.append(event)
        return event

    async def answer_elsewhere(self, event: Event, payload: Payload) -> None:
        target = Target(event.run, action_name=event.action_name)
        await self.elsewhere.signal(self.elsewhere.write(target), payload)

    async def abort_elsewhere(self, event: Event, reason: str | None = None) -> None:
        target = Target(event.run, action_name=event.action_name)
        await self.elsewhere.abort(self.elsewhere.write(target), reason)

    async def current(self, event: Event) -> Event:
        target = Target(event.run, action_name=event.action_name)
        found = await resolve(self.elsewhere.get(target))
        assert found is not None
        return found

    async def run(self, command: str, *arguments: object) -> Any:
        return await self.commands.execute(f"flyteSidecar.{command}", arguments)

    def argument(self, event: Event) -> dict[str, Any]:
        """The argument of a lens."""
        return for_command(event, self.session.backend_id)


@pytest.fixture
async def tester(session: FakeSession) -> AsyncIterator[CommandTester]:
    tester = CommandTester(session)
    yield tester
    await tester.commands.close()


@pytest.mark.parametrize(("command", "answer"), [("approve", True), ("reject", False)])
async def test_a_lens_answers_its_event(tester: CommandTester, command: str, answer: bool) -> None:
    event, other = await tester.make(), await tester.make(run="r2")
    result = await tester.run(command, tester.argument(event))
    assert result == await tester.current(event)
    assert result.payload is answer
    assert (await tester.current(other)).pending
    [(kind, message)] = tester.client.messages
    assert kind == "info"
    assert "approved" in message if answer else "rejected" in message


async def test_a_whole_event_is_an_argument_too(tester: CommandTester) -> None:
    event = await tester.make()
    result = await tester.run("approve", to_builtins(event))
    assert result is not None
    assert result.payload is True


@pytest.mark.parametrize(
    "arguments", [({"runName": "r1", "name": "deploy"},), ("r1", "deploy"), ("r1", "deploy", None)]
)
async def test_an_event_is_found_by_its_name(
    tester: CommandTester, arguments: tuple[object, ...]
) -> None:
    event = await tester.make()
    await tester.run("signal", *arguments[:2], True)
    assert (await tester.current(event)).payload is True


async def test_an_ambiguous_name_answers_nothing(tester: CommandTester) -> None:
    events = [await tester.make(parent="a0"), await tester.make(parent="a1")]
    assert await tester.run("approve", "r1", "deploy") is None
    assert all([(await tester.current(event)).pending for event in events])
    [(kind, message)] = tester.client.messages
    assert kind == "warning"
    assert "2 pending events of run r1 are named deploy" in message


@pytest.mark.parametrize("command", ["approve", "reject", "abort", "showEvent"])
async def test_an_event_that_does_not_exist_is_reported(
    tester: CommandTester, command: str
) -> None:
    assert await tester.run(command, {"runName": "r1", "name": "deploy"}) is None
    assert await tester.run(command, {"runName": "r1", "actionName": "e1"}) is None
    assert [kind for kind, _ in tester.client.messages] == ["warning", "warning"]
    assert all("no event" in message for _, message in tester.client.messages)


async def test_a_lens_of_an_answered_event_answers_nothing(tester: CommandTester) -> None:
    event = await tester.make()
    stale = tester.argument(event)
    await tester.answer_elsewhere(event, True)
    answered = await tester.current(event)
    again = await tester.make(name="deploy", parent="a1")
    for command in ("approve", "reject", "abort", "signal"):
        assert await tester.run(command, stale) is None
    assert await tester.current(event) == answered
    assert (await tester.current(again)).pending
    for kind, message in tester.client.messages:
        assert kind == "warning"
        assert "Nothing was changed: deploy of run r1 was approved" in message
        assert f"{answered.ended_at.astimezone():%H:%M}" in message
        assert "Another event of this name is waiting." in message
    assert len(tester.client.messages) == 4
    assert tester.client.questions == []


async def test_only_another_event_of_the_same_run_is_mentioned(tester: CommandTester) -> None:
    event = await tester.make()
    await tester.make(run="r2")
    await tester.answer_elsewhere(event, True)  # and the session does not know this yet
    await tester.run("approve", tester.argument(event))
    assert "is waiting" not in tester.client.messages[0][1]


async def test_an_event_of_the_same_name_that_is_created_meanwhile_is_not_answered(
    tester: CommandTester, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await tester.make()
    signal = tester.session.service.signal
    created = []

    async def signal_late(write: Any, value: Payload) -> Event:
        created.append(await tester.make(parent="a1"))
        await tester.answer_elsewhere(event, False)
        return await signal(write, value)

    monkeypatch.setattr(tester.session.service, "signal", signal_late)
    assert await tester.run("approve", "r1", "deploy") is None
    assert (await tester.current(created[0])).pending
    assert (await tester.current(event)).payload is False


async def test_the_end_of_an_aborted_event_is_reported_with_its_reason(
    tester: CommandTester,
) -> None:
    event = await tester.make()
    await tester.abort_elsewhere(event, "no longer needed")
    assert await tester.run("approve", tester.argument(event)) is None
    [(_, message)] = tester.client.messages
    assert "was aborted" in message
    assert "no longer needed" in message


async def test_a_lens_of_another_backend_answers_nothing(tester: CommandTester) -> None:
    event = await tester.make()
    stale = tester.argument(event)
    tester.session.backend_id = "b2"
    for command in ("approve", "reject", "abort", "signal", "showEvent"):
        assert await tester.run(command, stale) is None
    assert (await tester.current(event)).pending
    assert {kind for kind, _ in tester.client.messages} == {"warning"}
    assert all("another backend" in message for _, message in tester.client.messages)


async def test_an_id_that_belongs_to_another_name_answers_nothing(tester: CommandTester) -> None:
    event = await tester.make("deploy")
    argument = {**tester.argument(event), "name": "delete"}
    assert await tester.run("approve", argument) is None
    assert (await tester.current(event)).pending
    assert "not delete, but deploy of run r1" in tester.client.messages[0][1]


async def test_an_answer_between_reading_and_writing_wins_and_is_reported(
    tester: CommandTester, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await tester.make()
    signal = tester.session.service.signal

    async def signal_late(*arguments: Any) -> Event:
        await tester.answer_elsewhere(event, False)
        return await signal(*arguments)

    monkeypatch.setattr(tester.session.service, "signal", signal_late)
    assert await tester.run("approve", tester.argument(event)) is None
    assert (await tester.current(event)).payload is False
    [(kind, message)] = tester.client.messages
    assert kind == "warning"
    assert "was rejected" in message


@pytest.mark.parametrize(
    ("expected_type", "text", "value"),
    [("bool", "yes", True), ("int", " 12", 12), ("float", "0.5", 0.5), ("str", "12", "12")],
)
async def test_a_text_answers_by_the_type_of_its_event(
    tester: CommandTester, expected_type: str, text: str, value: Payload
) -> None:
    event = await tester.make(expected_type=expected_type)
    result = await tester.run("answer", tester.argument(event), text)
    assert isinstance(result, Event)
    assert result.payload == value
    assert await tester.run("answer", tester.argument(event), text) is None
    assert tester.client.messages[-1][1].startswith("Nothing was changed: ")  # it was answered


@pytest.mark.parametrize(
    "arguments",
    [
        *((), (None, "yes"), ("r1", "deploy"), ({"runName": "r1"}, "yes")),
        *(({"runName": "r1", "name": "deploy"}, text) for text in (None, True, 3, "\ud800")),
    ],
)
async def test_an_answer_needs_an_event_and_a_text(
    tester: CommandTester, arguments: tuple[object, ...]
) -> None:
    event = await tester.make()
    with pytest.raises(InvalidParams):
        await tester.run("answer", *arguments)
    assert (await tester.current(event)).pending


@pytest.mark.parametrize(
    "arguments",
    [
        *((), ("int",), ("int", "1", "2"), ("date", "1"), ([], "1"), (1, "1"), ("int", None)),
        *(("str", "\ud800"), (None, None)),
    ],
)
async def test_a_check_needs_a_type_and_a_text(
    tester: CommandTester, arguments: tuple[object, ...]
) -> None:
    with pytest.raises(InvalidParams):
        await tester.run("checkAnswer", *arguments)


@pytest.mark.parametrize("outcome", ["none", "unknown"])
async def test_a_failure_reports_whether_the_write_may_have_happened(
    tester: CommandTester, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    event = await tester.make()

    async def fail(write: Any, _: Payload) -> Event:
        async with write:
            if outcome == "unknown":
                await write.perform(_raise(BackendUnavailable("no route")))
            raise BackendUnavailable("no route")

    monkeypatch.setattr(tester.session.service, "signal", fail)
    assert await tester.run("approve", tester.argument(event)) is None
    [(kind, message)] = tester.client.messages
    assert kind == "error"
    assert "no route" in message
    assert ("Nothing was changed" in message) == (outcome == "none")
    assert ("It is unknown whether this took effect" in message) == (outcome == "unknown")


async def _raise(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    ("expected_type", "value", "payload"),
    [
        ("bool", False, False),
        ("int", 7, 7),
        ("int", "9223372036854775807", 9223372036854775807),
        ("float", 3, 3.0),
        ("float", "0.25", 0.25),
        ("float", "Infinity", float("inf")),
        ("str", "3", "3"),
        ("str", "", ""),
    ],
)
async def test_signal_answers_with_its_value(
    tester: CommandTester, expected_type: Any, value: Payload, payload: Payload
) -> None:
    event = await tester.make(expected_type=expected_type)
    result = await tester.run("signal", tester.argument(event), value)
    assert result is not None
    assert (type(result.payload), result.payload) == (type(payload), payload)


@pytest.mark.parametrize(
    ("expected_type", "value"), [("bool", "true"), ("bool", 1), ("int", 1.5), ("str", True)]
)
async def test_a_value_of_another_type_answers_nothing(
    tester: CommandTester, expected_type: Any, value: Payload
) -> None:
    event = await tester.make(expected_type=expected_type)
    assert await tester.run("signal", tester.argument(event), value) is None
    assert (await tester.current(event)).pending
    (kind, message), (_, how) = tester.client.messages
    assert kind == "error"
    assert "the event expects" in message
    assert "flyteSidecar.signal" in how


@pytest.mark.parametrize("expected_type", ["int", "float", "str"])
@pytest.mark.parametrize("command", ["approve", "reject", "signal"])
async def test_a_type_without_input_is_explained(
    tester: CommandTester, expected_type: Any, command: str
) -> None:
    event = await tester.make(expected_type=expected_type)
    assert await tester.run(command, tester.argument(event)) is None
    assert (await tester.current(event)).pending
    [(kind, message)] = tester.client.messages
    assert kind == "info"
    assert f"{expected_type}. To answer it" in message
    assert "flyte-sidecar call events.signal '{" in message
    assert f'"actionName":"{event.action_name}"' in message


@pytest.mark.parametrize(
    ("option", "answer"),
    [("Approve r1", True), ("Reject r1", False), ("Not now", None), (None, None)],
)
async def test_signal_without_a_value_asks_for_a_bool(
    tester: CommandTester, option: str | None, answer: bool | None
) -> None:
    event = await tester.make(prompt="Deploy?")
    assert await tester.run("signal", tester.argument(event)) is None
    question = await tester.client.question()
    assert question.message == "r1 asks: Deploy? (deploy)"
    question.choose(option)
    if answer is not None:
        await tester.client.message()
    current = await tester.current(event)
    assert current.payload is answer
    assert current.pending is (answer is None)


async def test_an_event_can_be_looked_at_before_it_is_answered(tester: CommandTester) -> None:
    event = await tester.make()
    await tester.run("signal", tester.argument(event))
    (await tester.client.question()).choose("Show")
    question = await tester.client.question(2)
    assert tester.client.documents == [f"flyte-event:/r1/{event.action_name}"]
    assert question.options == ["Not now", "Approve r1", "Reject r1"]
    question.choose("Approve r1")
    await tester.client.message()
    assert (await tester.current(event)).payload is True


async def test_an_answer_to_a_question_about_an_answered_event_changes_nothing(
    tester: CommandTester,
) -> None:
    event = await tester.make()
    await tester.run("signal", tester.argument(event))
    question = await tester.client.question()
    await tester.answer_elsewhere(event, False)
    question.choose("Approve r1")
    kind, message = await tester.client.message()
    assert kind == "warning"
    assert "was rejected" in message
    assert (await tester.current(event)).payload is False


async def test_an_answer_to_a_question_of_another_backend_changes_nothing(
    tester: CommandTester,
) -> None:
    event = await tester.make()
    await tester.run("signal", tester.argument(event))
    question = await tester.client.question()
    tester.session.backend_id = "b2"
    question.choose("Approve r1")
    assert "another backend" in (await tester.client.message())[1]
    assert (await tester.current(event)).pending


@pytest.mark.parametrize("arguments", [(), (None,)])
async def test_without_an_event_the_person_chooses_one(
    tester: CommandTester, arguments: tuple[object, ...]
) -> None:
    first, second = await tester.make(run="r1"), await tester.make(run="r2")
    await tester.make("count", expected_type="int")
    assert await tester.run("approve", *arguments) is None
    question = await tester.client.question()
    # Some editors choose the first option when the person types Return.
    assert question.options == ["Not now", "deploy · r1", "deploy · r2"]
    question.choose("deploy · r2")
    await tester.client.message()
    assert (await tester.current(first)).pending
    assert (await tester.current(second)).payload is True


async def test_a_single_event_is_not_answered_without_a_choice(tester: CommandTester) -> None:
    event = await tester.make()
    await tester.run("abort")
    question = await tester.client.question()
    question.choose("Not now")
    await tester.commands.close()
    assert (await tester.current(event)).pending


async def test_without_pending_events_there_is_nothing_to_choose(tester: CommandTester) -> None:
    await tester.make("count", expected_type="int")
    await tester.run("reject")
    assert await tester.client.message() == ("info", "No event is waiting for this.")
    await tester.run("showPending", "deploy")
    assert await tester.client.message(2) == ("info", "No event named deploy is waiting.")
    assert tester.client.questions == []


async def test_choices_are_distinct_and_limited(tester: CommandTester) -> None:
    event = await tester.make(name="x\n" * 100, run="r\u202e" * 100)
    tester.session.waiting = [replace(event, action_name=f"e{n}") for n in range(25)]
    tester.session.waiting += [replace(event, action_name="e0")]
    await tester.run("abort")
    question = await tester.client.question()
    assert len({*question.options}) == len(question.options) == 1 + 20
    assert "6 more are not shown" in question.message
    assert all(option.isprintable() and len(option) < 200 for option in question.options)


async def test_show_pending_asks_about_the_chosen_event(tester: CommandTester) -> None:
    event = await tester.make()
    await tester.make("other")
    await tester.run("showPending", "deploy")
    choice = await tester.client.question()
    assert choice.options == ["deploy · r1"]
    choice.choose("deploy · r1")
    (await tester.client.question(2)).choose("Approve r1")
    await tester.client.message()
    assert (await tester.current(event)).payload is True


async def test_show_event_opens_its_document(tester: CommandTester) -> None:
    event = await tester.make()
    assert await tester.run("showEvent", tester.argument(event)) == event
    await tester.client.until(lambda: tester.client.documents)
    assert tester.client.documents == [f"flyte-event:/r1/{event.action_name}"]
    assert tester.client.messages == []


async def test_show_event_shows_a_message_where_documents_are_unsupported(
    tester: CommandTester,
) -> None:
    event = await tester.make(prompt="Deploy?")
    tester.client.documents = None
    await tester.run("showEvent", tester.argument(event))
    assert await tester.client.message() == ("info", "r1 asks: Deploy? (deploy)")


async def test_abort_records_its_reason(tester: CommandTester) -> None:
    event = await tester.make(expected_type="int")
    result = await tester.run("abort", tester.argument(event), "too late")
    assert result == await tester.current(event)
    assert (result.phase, result.abort_reason) == ("ABORTED", "too late")


async def test_refresh_reads_the_events_again(tester: CommandTester) -> None:
    assert await tester.run("refresh") is None
    assert tester.session.refreshes == 1


EVENT = {"runName": "r1", "actionName": "e1"}


@pytest.mark.parametrize(
    ("command", "arguments", "path"),
    [
        ("approve", [3], "/arguments/0"),
        ("approve", [{}], "/arguments/0"),
        ("approve", [{"runName": "r1"}], "/arguments/0"),
        ("approve", [{"runName": "", "name": "x"}], "/arguments/0"),
        ("approve", [{"runName": "r1", "name": 3}], "/arguments/0"),
        ("approve", [{"runName": "r1", "name": "\ud800"}], "/arguments/0"),
        ("approve", ["r1"], "/arguments/1"),
        ("approve", ["r1", 3], "/arguments/1"),
        ("approve", [EVENT, True], "/arguments/1"),
        ("approve", ["r1", "deploy", True], "/arguments/2"),
        ("signal", [EVENT, []], "/arguments/1"),
        ("signal", [EVENT, {}], "/arguments/1"),
        ("signal", [EVENT, float("nan")], "/arguments/1"),
        ("signal", [EVENT, "\ud800"], "/arguments/1"),
        ("signal", ["r1", "deploy", [3]], "/arguments/2"),
        ("signal", [EVENT, 3, 4], "/arguments/2"),
        ("abort", [EVENT, 3], "/arguments/1"),
        ("refresh", [1], "/arguments/0"),
        ("showPending", [1], "/arguments/0"),
        ("showPending", ["deploy", "r1"], "/arguments/1"),
        ("showEvent", [EVENT, 1], "/arguments/1"),
    ],
)
async def test_a_malformed_command_names_the_argument(
    tester: CommandTester, command: str, arguments: list[object], path: str
) -> None:
    with pytest.raises(InvalidParams) as caught:
        await tester.run(command, *arguments)
    assert caught.value.data == {"path": path}
    assert f"argument {int(path[-1]) + 1} of flyteSidecar.{command}" in caught.value.message
    assert tester.client.messages == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
events = st.fixed_dictionaries(
    {"runName": st.just("r1") | st.text()},
    optional={
        key: st.just("deploy") | st.text() | json_values
        for key in ("name", "actionName", "org", "project", "domain", "backend")
    },
)
NAMES = ("approve", "reject", "signal", "abort", "refresh", "showPending", "showEvent")
commands = st.sampled_from([f"flyteSidecar.{name}" for name in NAMES])


@given(commands, st.lists(events | json_values, max_size=4))
@settings(max_examples=50)
async def test_any_arguments_are_handled_or_rejected(
    tester: CommandTester, command: str, arguments: list[Any]
) -> None:
    with suppress(InvalidParams):
        await tester.commands.execute(command, arguments)


async def test_an_unknown_command_is_rejected(tester: CommandTester) -> None:
    with pytest.raises(InvalidParams):
        await tester.run("delete")


async def test_a_slow_command_is_answered_before_it_ends(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    tester = CommandTester(session, response_timeout=0.0)
    event = await tester.make()
    proceed = asyncio.Event()
    signal = session.service.signal

    async def signal_slowly(*arguments: Any) -> Event:
        await proceed.wait()
        return await signal(*arguments)

    monkeypatch.setattr(session.service, "signal", signal_slowly)
    assert await tester.run("approve", tester.argument(event)) is None
    assert session.client.messages == []
    proceed.set()
    assert "was approved" in (await session.client.message())[1]
    assert (await tester.current(event)).payload is True


async def test_closing_withdraws_the_questions(tester: CommandTester) -> None:
    await tester.make()
    await tester.run("abort")
    question = await tester.client.question()
    await tester.commands.close()
    assert question.answer.cancelled()


async def test_a_failure_in_the_background_is_logged_without_data(
    tester: CommandTester, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    event = await tester.make(prompt="secret")
    await tester.run("signal", tester.argument(event))
    question = await tester.client.question()

    def fail(_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(tester.session.service, "write", fail)
    question.choose("Approve r1")
    with caplog.at_level("INFO"):
        await settle()
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_hostile_text_is_shown_as_one_harmless_line(tester: CommandTester) -> None:
    hostile = "Deploy?\n\x1b[2J\u202e [yes](command:workbench.action.quit) " + "x" * 10_000
    event = await tester.make("n](command:x) [", run="[r](command:y)", prompt=hostile)
    await tester.run("signal", tester.argument(event))
    question = await tester.client.question()
    question.choose(None)
    other = await tester.make("int", run="[r](command:y)", prompt=hostile, expected_type="int")
    await tester.run("signal", tester.argument(other))
    await tester.answer_elsewhere(event, True)
    await tester.run("approve", tester.argument(event))
    shown = [question.message, *(message for _, message in tester.client.messages)]
    assert len(shown) == 3
    for message in shown:
        assert "](" not in message
        assert all(line.isprintable() for line in message.split("\n"))
        assert len(message) < 1500
