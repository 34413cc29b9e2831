"""Answers from an editor: exact on every backend, whatever happens at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyte_sidecar.events.model import Event
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp.answers import Answers
from flyte_sidecar.lsp.event_arguments import EventArgument, event_argument
from tests.contract.harness import BackendClient
from tests.lsp.fake_editor import FakeSession


class Editor:
    """An editor on the client's backend, with its own order of writes."""

    def __init__(self, client: BackendClient) -> None:
        self.session = FakeSession(EventService(client.service.backend))
        self.answers = Answers(self.session)

    def argument(self, event: Event) -> EventArgument:
        return event_argument(event, self.session.backend_id)

    @property
    def messages(self) -> list[tuple[Any, str]]:
        return self.session.client.messages


async def test_one_of_many_editors_answers_and_the_others_report_the_answer(
    client: BackendClient,
) -> None:
    event = await client.make("deploy")
    editors = [Editor(client) for _ in range(6)]
    results = await asyncio.gather(
        *(
            editor.answers.approve(editor.argument(event), approved=number % 2 == 0)
            for number, editor in enumerate(editors)
        )
    )
    answered = await client.get("deploy")
    assert answered is not None
    for number, (editor, result) in enumerate(zip(editors, results, strict=True)):
        [(kind, message)] = editor.messages
        if result is not None:
            assert result.payload is answered.payload is (number % 2 == 0)
        else:
            assert kind == "warning"
            assert "Nothing was changed" in message
        assert ("approved" if answered.payload else "rejected") in message
    assert {number % 2 == 0 for number, result in enumerate(results) if result} == {
        answered.payload
    }


async def test_an_event_that_ended_elsewhere_is_not_aborted(client: BackendClient) -> None:
    editor = Editor(client)
    event = await client.make("deploy")
    assert await editor.answers.find(editor.argument(event)) == event
    await client.signal("deploy", True)
    assert await editor.answers.abort(editor.argument(event), "too late") is None
    current = await client.get("deploy")
    assert current is not None
    assert (current.phase, current.payload) == ("SUCCEEDED", True)
    assert "deploy of run r1 was approved" in editor.messages[0][1]


async def test_an_expired_event_is_not_answered(client: BackendClient) -> None:
    editor = Editor(client)
    event = await client.make("deploy", expires_in=60.0)
    client.harness.pass_time(61.0)
    assert await editor.answers.approve(editor.argument(event), approved=True) is None
    assert "deploy of run r1 timed out" in editor.messages[0][1]


@pytest.mark.parametrize("answered", [False, True])
async def test_a_name_that_means_another_event_by_now_answers_nothing(
    client: BackendClient, answered: bool
) -> None:
    editor = Editor(client)
    seen = await client.make("deploy", parent="a0")
    if answered:
        await client.signal("deploy", False)
    other = await client.make("deploy", parent="a1")
    await editor.answers.approve(editor.argument(seen), approved=True)
    current = await client.get(action_name=seen.action_name)
    assert current is not None
    assert current.payload is (not answered)
    untouched = await client.get(action_name=other.action_name)
    assert untouched is not None
    assert untouched.pending
