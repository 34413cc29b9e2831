"""What keys do, on the embedded store."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from flyte_sidecar.errors import BackendUnavailable
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.model import Event
from tests.cli.inbox.conftest import Inbox
from tests.contract.harness import RUN, BackendClient


async def shown(inbox: Inbox, client: BackendClient, *names: str, expected: str = "bool") -> Event:
    """Create events, and draw them; return the first, which is selected."""
    events = [await client.make(name, expected) for name in names]
    await inbox.lists(*events)
    inbox.draw()
    return events[0]


async def test_a_key_answers_the_selected_event(inbox: Inbox, client: BackendClient) -> None:
    await shown(inbox, client, "deploy", "review")
    inbox.controller.do("down")
    inbox.draw()
    inbox.controller.do("no")
    await inbox.until(lambda: inbox.controller.message)
    review = await client.get("review")
    assert review is not None
    assert review.payload is False
    assert "review of run r1 was rejected" in inbox.text
    assert (await client.get("deploy")).pending  # type: ignore[union-attr]


async def test_an_answer_never_goes_to_an_event_that_was_not_on_the_screen(
    inbox: Inbox, client: BackendClient
) -> None:
    inbox.draw()
    event = await client.make("q")
    await inbox.lists(event)
    inbox.controller.do("yes")
    assert "Nothing was sent" in inbox.text
    assert (await client.get("q")).pending  # type: ignore[union-attr]
    inbox.controller.do("yes")
    assert (await inbox.ended(event)).startswith("approved")


async def test_an_answer_to_an_event_that_ended_is_reported(
    inbox: Inbox, client: BackendClient
) -> None:
    event = await shown(inbox, client, "q")
    await client.answer(event, False)
    await inbox.ended(event)
    inbox.controller.do("yes")
    assert "Nothing was sent: q of run r1 was already rejected" in inbox.text
    assert not inbox.controller.session.unfinished


async def test_an_answer_that_comes_too_late_is_reported(
    inbox: Inbox, client: BackendClient
) -> None:
    event = await shown(inbox, client, "q")
    await inbox.controller.session.live.close()  # it does not hear of the answer
    await client.answer(event, False)
    inbox.controller.do("yes")
    await inbox.until(lambda: inbox.controller.message)
    assert "Nothing was changed: q of run r1 was already rejected" in inbox.text
    assert (await inbox.ended(event)).startswith("rejected")


async def test_an_answer_is_not_sent_twice(inbox: Inbox, client: BackendClient) -> None:
    await shown(inbox, client, "q")
    inbox.controller.do("yes")
    inbox.draw()
    inbox.controller.do("no")
    assert "already being sent" in inbox.text
    assert inbox.controller.session.unfinished


async def test_an_answer_of_another_type_is_typed(inbox: Inbox, client: BackendClient) -> None:
    event = await shown(inbox, client, "threshold", expected="float")
    inbox.controller.do("yes")
    assert "threshold of run r1 expects a number such as 0.5" in inbox.text
    inbox.controller.do("answer")
    inbox.draw()
    for wrong in ("", "high"):
        inbox.controller.submit(wrong)
        assert "expects a number" in inbox.controller.message or not wrong
        assert inbox.controller.input is not None
    inbox.controller.submit("0.5")
    assert (await inbox.ended(event)).startswith("answered with 0.5")
    assert (await client.get("threshold")).payload == 0.5  # type: ignore[union-attr]


async def test_an_event_that_ends_while_the_answer_is_typed_is_not_answered(
    inbox: Inbox, client: BackendClient
) -> None:
    event = await shown(inbox, client, "q", expected="str")
    inbox.controller.do("answer")
    await client.answer(event, "theirs")
    await inbox.ended(event)
    assert 'was already answered with "theirs"' in inbox.text
    inbox.controller.submit("mine")
    assert inbox.controller.input is None
    assert "Nothing was sent" in inbox.text


async def test_an_abort_asks_for_a_reason_and_a_confirmation(
    inbox: Inbox, client: BackendClient
) -> None:
    event = await shown(inbox, client, "q")
    inbox.controller.do("abort")
    inbox.draw()
    inbox.controller.submit("wrong data")
    assert "with the reason 'wrong data'? This cannot be undone." in inbox.text
    inbox.controller.cancel()
    assert "Nothing was sent." in inbox.text
    inbox.controller.do("abort")
    inbox.draw()
    inbox.controller.submit("wrong data")
    inbox.draw()
    inbox.controller.confirm()
    assert await inbox.ended(event) == "aborted: wrong data"


async def test_a_question_that_was_not_on_the_screen_is_not_answered(
    inbox: Inbox, client: BackendClient
) -> None:
    await shown(inbox, client, "q", expected="str")
    for action in ("answer", "abort"):
        inbox.controller.do(action)  # type: ignore[arg-type]
        inbox.controller.submit("pasted")
        assert "Nothing was sent: this question was not on the screen yet." in inbox.text
        assert inbox.controller.input is not None
        inbox.controller.cancel()
    inbox.controller.do("abort")
    inbox.draw()
    inbox.controller.submit("")
    inbox.controller.confirm()
    assert not inbox.controller.session.unfinished
    assert "This cannot be undone." in inbox.text
    inbox.controller.confirm()
    assert inbox.controller.session.unfinished


async def test_an_event_that_ends_before_the_confirmation_is_not_aborted(
    inbox: Inbox, client: BackendClient
) -> None:
    event = await shown(inbox, client, "q")
    inbox.controller.do("abort")
    inbox.draw()
    inbox.controller.submit("")
    await client.answer(event)
    await inbox.ended(event)
    inbox.draw()
    inbox.controller.confirm()
    assert "Nothing was sent: q of run r1 was already approved" in inbox.text
    assert not inbox.controller.session.unfinished


async def test_a_failed_answer_is_reported_at_its_event(
    inbox: Inbox, client: BackendClient, store: Path
) -> None:
    await shown(inbox, client, "first", "second")
    os.rename(store, f"{store}.moved")
    inbox.controller.do("yes")
    await inbox.until(lambda: inbox.controller.message)
    assert "first of run r1: Nothing was changed: " in inbox.text
    inbox.draw()
    inbox.controller.do("down")
    [line] = [line for line in inbox.draw() if "first" in line]
    assert "Nothing was changed" in line


async def test_the_backend_that_is_disconnected_is_named(inbox: Inbox) -> None:
    session, error = inbox.controller.session, BackendUnavailable("gone")
    session.live.state = BackendState("disconnected", error)
    session.title = "the embedded store and the deployment"
    for down, named in (("flyte", "the deployment"), (None, session.title)):
        session.live._down = {down: error}  # type: ignore[dict-item]
        assert session.state_and_backend == f"disconnected from {named}, reconnecting"


async def test_what_others_answer_is_shown(inbox: Inbox, client: BackendClient) -> None:
    event = await shown(inbox, client, "deploy")
    await client.answer(event)
    await inbox.ended(event)
    assert any("deploy" in line and "approved" in line for line in inbox.draw())
    assert inbox.draw()[0].startswith(" 0 events wait")


async def test_the_prompt_is_a_page_that_scrolls(inbox: Inbox, client: BackendClient) -> None:
    prompt = "\n".join(f"- item {number}" for number in range(50))
    event = await client.ask(RUN, "q", prompt=prompt, prompt_type="markdown")
    await inbox.lists(event)
    inbox.draw()
    inbox.controller.do("open")
    assert "item 0" in inbox.text
    assert "item 49" not in inbox.text
    inbox.controller.do("end")
    assert "item 49" in inbox.text
    inbox.controller.do("up")
    assert "item 48" in inbox.text
    inbox.controller.do("yes")
    assert (await inbox.ended(event)).startswith("approved")
    assert "item 48" in inbox.text
    inbox.controller.do("start")
    inbox.controller.do("page down")
    inbox.controller.do("page up")
    assert any(line.startswith("Ended") for line in inbox.draw())
    assert "item 1" in inbox.text
    inbox.controller.do("back")
    assert inbox.controller.page == "list"


async def test_the_keys_that_scroll_a_prompt_do_not_select_another_event(
    inbox: Inbox, client: BackendClient
) -> None:
    await shown(inbox, client, "first", "second", "third")
    inbox.controller.do("down")
    inbox.controller.do("open")
    for action in ("start", "end", "up", "down", "page up", "page down", "help", "back"):
        inbox.controller.do(action)  # type: ignore[arg-type]
        inbox.draw()
    assert inbox.controller.page == "prompt"
    assert any(line.split() == ["Event", "second"] for line in inbox.draw())


async def test_the_prompt_that_a_listing_omitted_is_read(
    inbox: Inbox, client: BackendClient
) -> None:
    event = await client.ask(RUN, "q", prompt="Is this read?")
    await inbox.lists(event)
    row = inbox.controller.events.get(event_key(event))
    assert row is not None
    row.event = replace(event, prompt=None, partial=True)
    inbox.draw()
    inbox.controller.do("open")
    assert "Reading the prompt" in inbox.text
    await inbox.until(lambda: not inbox.controller.is_reading)
    assert "Is this read?" in inbox.text


async def test_the_filter_follows_the_typed_text(inbox: Inbox, client: BackendClient) -> None:
    await shown(inbox, client, "deploy", "review")
    inbox.controller.do("filter")
    inbox.controller.typed("rev")
    assert "deploy" not in inbox.text
    assert "1 shown: rev" in inbox.text
    inbox.controller.submit("rev")
    assert inbox.controller.input is None
    inbox.controller.do("back")
    assert "deploy" in inbox.text
    inbox.controller.do("filter")
    inbox.controller.typed("rev")
    inbox.controller.cancel()
    assert "deploy" in inbox.text


async def test_a_message_stays_until_a_key_is_pressed_after_it_was_seen(
    inbox: Inbox, client: BackendClient
) -> None:
    await shown(inbox, client, "q")
    inbox.controller.do("yes")
    await inbox.until(lambda: inbox.controller.message)
    inbox.controller.do("down")
    assert "was approved" in inbox.text
    inbox.controller.do("down")
    assert "was approved" not in inbox.text
