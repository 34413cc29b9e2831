"""What the full-screen mode draws, whatever the texts of events and the size of the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from prompt_toolkit.utils import get_cwidth

from flyte_sidecar.backends.flyte import LoginRequest
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.inbox.cells import fit, one_width
from flyte_sidecar.cli.inbox.session import open_session
from flyte_sidecar.events.plain_text import is_safe
from flyte_sidecar.server.settings import Options
from tests.cli.inbox.conftest import Inbox
from tests.contract.harness import RUN, BackendClient
from tests.lsp.events import DAY

HOSTILE = (
    "\x1b[2J\x1b[31mred\x07\r\nNo undo:  y yes\u2028line \u202egnp.exe \x9b1A"
    " \u200b\U000e0041 a\u0301\u0301\u0301\u0301\u0301 \U0001f469\u200d\U0001f467\ufe0f"
    " \U0001f44d\U0001f3ff 日本語"
)


@pytest.mark.parametrize("page", ["open", "help", "abort", "answer"])
async def test_nothing_in_an_event_leaves_its_line(
    inbox: Inbox, client: BackendClient, page: str
) -> None:
    name = HOSTILE.replace("\x1b", "").replace("\x07", "").replace("\x9b", "").replace("\r\n", "")
    event = await client.ask(
        RUN.scope.run(name), name, prompt=HOSTILE * 9, description=HOSTILE, prompt_type="markdown"
    )
    await inbox.lists(event)
    for width, height in ((80, 24), (30, 10), (12, 4)):
        inbox.draw(width, height)
        inbox.controller.do(page)  # type: ignore[arg-type]
        inbox.controller.message = HOSTILE
        for line in inbox.draw(width, height):
            assert all(map(is_safe, line)), line
            assert get_cwidth(line) <= width, line
            assert one_width(line) == line
        inbox.controller.cancel()
        inbox.controller.page = "list"


async def test_each_line_of_a_prompt_is_marked(inbox: Inbox, client: BackendClient) -> None:
    forged = "No undo:  y yes  n no\n\n 3 events wait   connected to the embedded store"
    event = await client.ask(RUN, "q", prompt=forged, description=forged)
    await inbox.lists(event)
    inbox.draw()
    inbox.controller.do("open")
    lines = inbox.draw()
    forgeries = [line for line in lines[1:-1] if "No undo" in line or "3 events" in line]
    assert len(forgeries) == 4
    assert all(line.startswith("│ ") for line in forgeries)


async def test_a_question_is_shown_on_every_size_of_the_terminal(
    inbox: Inbox, client: BackendClient
) -> None:
    await inbox.lists(await client.make("q"))
    inbox.draw()
    inbox.controller.do("abort")
    assert "Why is q of run r1 aborted?" in inbox.draw(80, 3)[-1]
    inbox.controller.submit("")
    assert "Abort q of run r1? This cannot be undone." in inbox.draw(80, 4)[-1]


@pytest.mark.parametrize("page", ["list", "prompt", "help"])
async def test_every_size_of_the_terminal_is_filled(
    inbox: Inbox, client: BackendClient, page: str
) -> None:
    events = [await client.make(f"event-{number}") for number in range(30)]
    await inbox.lists(*events)
    inbox.draw()
    inbox.controller.page = page  # type: ignore[assignment]
    inbox.controller.message = "A long message. " * 20
    for width in (1, 2, 5, 20, 40, 80, 200):
        for height in (1, 2, 3, 5, 24, 60):
            lines = inbox.draw(width, height)
            assert all(get_cwidth(line) <= width for line in lines)
            if page == "list" and width >= 40:
                assert any(line.startswith(">") for line in lines)
                assert height < 2 or "connected" in lines[0]


async def test_the_columns_that_matter_least_are_omitted_first(
    inbox: Inbox, client: BackendClient
) -> None:
    event = await client.make("threshold", "float", expires_in=5000)
    await inbox.lists(event)
    shown = {width: inbox.draw(width, 24)[1].split() for width in (100, 50, 42, 34)}
    assert shown[100] == ["RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT"]
    assert shown[50] == ["RUN", "NAME", "TYPE", "AGE", "PROMPT"]
    assert shown[42] == ["RUN", "NAME", "TYPE", "PROMPT"]
    assert shown[34] == ["RUN", "NAME", "PROMPT"]


async def test_the_projects_are_shown_if_they_differ(inbox: Inbox, client: BackendClient) -> None:
    first = await client.make("q")
    await inbox.lists(first)
    assert "PROJECT" not in inbox.text
    inbox.controller.events.put(replace(first, project="p2"))
    assert "PROJECT" in inbox.text


async def test_a_store_that_cannot_be_used_is_reported_on_each_page(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_text("This is not a store. " * 100)
    inbox = Inbox()
    options = Options(store=str(tmp_path / "events.db"))
    async with open_session(options, inbox.controller) as session:
        inbox.controller.session = session
        await inbox.until(lambda: session.live.state.phase == "failed")
        for page in ("list", "help"):
            inbox.controller.page = page  # type: ignore[assignment]
            title, problem, *_ = inbox.draw()
            assert title.endswith("not connected to the embedded store")
            assert problem.startswith("store_unavailable: ")
            assert "Press r to connect again." in inbox.draw()[2:5]
        (tmp_path / "events.db").unlink()
        inbox.controller.page = "list"
        inbox.controller.do("retry")
        await inbox.until(lambda: session.live.state.phase == "ready")
        assert session.logins.asked_again == 1


async def test_a_missing_scope_is_a_usage_error_that_names_the_option() -> None:
    options = Options(backend="flyte", store="", endpoint="h.example", project="", domain="d")
    with pytest.raises(UsageError, match="--project is required"):
        async with open_session(options, Inbox().controller):
            pass


async def test_a_login_is_shown_until_it_ends(inbox: Inbox) -> None:
    logins = inbox.controller.session.logins
    url = "https://login.example.org/device?code=" + "x" * 100
    login = LoginRequest(url, "ABCD", f"To log in, open {url} and enter ABCD", DAY, lambda: None)
    logins.required(login)
    assert url in inbox.text.replace("\n", "")
    logins.ended(login, "the login was denied")
    assert url not in inbox.text.replace("\n", "")
    assert "the login was denied" in inbox.text
    logins.required(login)
    assert "denied" not in inbox.text
    logins.ended(login, None)
    assert url not in inbox.text.replace("\n", "")


async def test_the_number_of_events_that_are_not_kept_is_shown(
    inbox: Inbox, client: BackendClient
) -> None:
    events = [await client.make(f"event-{number}") for number in range(3)]
    await inbox.lists(*events)
    index = inbox.controller.session.live._index
    index.omitted.update(map(str, range(1500)))
    assert " 1,503 events wait (1,500 not shown)" in inbox.text
    index.omitted.clear()


async def test_a_prompt_with_clusters_is_shown_whole(inbox: Inbox, client: BackendClient) -> None:
    event = await client.ask(RUN, "q", prompt="\U0001f469\u200d\U0001f467" * 60)
    await inbox.lists(event)
    inbox.draw()
    inbox.controller.do("open")
    assert inbox.text.count("\U0001f469") == 60


async def test_events_that_ended_are_dimmed_and_the_names_of_others_are_bold(
    inbox: Inbox, client: BackendClient
) -> None:
    events = [await client.make(name) for name in ("first", "second", "third")]
    await inbox.lists(*events)
    await client.answer(events[1])
    await inbox.ended(events[1])
    styles = {
        text.split()[-1]: style
        for line in inbox.screen.draw(80, 24)
        for style, text in line
        if text.startswith("r1 ")
    }
    assert {name: {*style.split()} for name, style in styles.items()} == {
        "first": {"bold", "reverse"},
        "second": {"dim"},
        "third": {"bold"},
    }


def test_characters_that_terminals_show_in_different_widths_are_left_out() -> None:
    assert one_width("a" + "\u0301" * 9 + "b") == "a\u0301\u0301b"
    assert one_width("\U0001f469\u200d\U0001f467\ufe0f\U0001f3ff") == "\U0001f469\U0001f467"


def test_a_cell_has_exactly_its_width() -> None:
    for text in ("", "short", "much too long", "日本語日本語日本語", "e\u0301" * 20, HOSTILE):
        for columns in range(12):
            assert get_cwidth(fit(text, columns)) == columns
