"""The plain mode: in this process, and in terminals."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from flyte_sidecar.cli.inbox import plain_inbox
from flyte_sidecar.cli.inbox.plain_inbox import MAX_ANNOUNCED, PAGE, PlainInbox
from flyte_sidecar.cli.inbox.session import open_session
from flyte_sidecar.events.plain_text import is_safe
from flyte_sidecar.server.settings import Options
from tests.cli.inbox.conftest import Start
from tests.cli.inbox.test_screen import HOSTILE
from tests.cli.verbs import answer, ask
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import RUN, BackendClient
from tests.e2e.process import Process
from tests.lsp.events import make_event


class Plain:
    """A plain inbox, and the lines that it has printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.quits = 0
        self._printed = asyncio.Event()
        self.inbox = PlainInbox(self._print, self._quit)

    def _print(self, line: str) -> None:
        self.lines.append(line)
        self._printed.set()

    def _quit(self) -> None:
        self.quits += 1

    @property
    def text(self) -> str:
        """What was printed, with long lines as one."""
        return "\n".join(self.lines).replace(f"\n{plain_inbox.CONTINUED}", " ")

    async def says(self, text: str) -> None:
        """Wait until a text was printed."""
        async with asyncio.timeout(TEST_TIMEOUT):
            while text not in self.text:
                self._printed.clear()
                await self._printed.wait()

    def do(self, command: str) -> str:
        """Perform a command, and return what it prints at once."""
        self.lines.clear()
        self.inbox.command(command)
        return self.text


@asynccontextmanager
async def opened(store: Path) -> AsyncIterator[Plain]:
    plain = Plain()
    async with open_session(Options(store=str(store)), plain.inbox) as session:
        plain.inbox.start(session)
        await plain.says("for an answer.")
        yield plain
        await session.finish()


async def test_events_have_numbers_and_are_answered_by_them(
    store: Path, client: BackendClient
) -> None:
    await client.make("deploy")
    await client.make("threshold", "float", expires_in=5000)
    async with opened(store) as plain:
        await plain.says("2: threshold of run r1, float. Waits for 0s. Expires in 1h. Approve?")
        assert "connected to the embedded store" in plain.text
        assert "2 events wait for an answer." in plain.text
        assert "1: deploy of run r1, bool." in plain.text
        plain.do("1 no")
        await plain.says("1: deploy of run r1 was rejected")
        assert "expects a number such as 0.5" in plain.do("2 yes")
        assert "expects a number such as 0.5" in plain.do("2")
        plain.do("2 0.5")
        await plain.says("2: threshold of run r1 was answered with 0.5")
        assert "Nothing was sent: 1: deploy of run r1 was rejected" in plain.do("1 yes")
        assert "no event '9'" in plain.do("9 yes")
    assert (await client.get("deploy")).payload is False  # type: ignore[union-attr]


async def test_changes_by_others_are_announced_once(store: Path, client: BackendClient) -> None:
    first = await client.make("deploy")
    async with opened(store) as plain:
        plain.lines.clear()
        await client.make("later", "int")
        await plain.says("New: 2: later of run r1, int.")
        await client.answer(first)
        await plain.says("1: deploy of run r1 was approved")
        plain.do("2 7")
        await plain.says("2: later of run r1 was answered with 7")
        await client.make("third")
        await plain.says("New: 3: third")
        assert plain.text.count("2: later of run r1 was") == 1


async def test_an_answer_that_comes_too_late_is_reported(
    store: Path, client: BackendClient
) -> None:
    event = await client.make("deploy")
    async with opened(store) as plain:
        await plain.inbox.session.live.close()  # it does not hear of the answer
        await client.answer(event, False)
        plain.do("1 yes")
        await plain.says("1: Nothing was changed: deploy of run r1 was already rejected")


async def test_an_abort_needs_a_confirmation(store: Path, client: BackendClient) -> None:
    await client.make("deploy")
    async with opened(store) as plain:
        asked = plain.do("abort 1 wrong data")
        assert "Abort deploy of run r1 with the reason 'wrong data'? This cannot be" in asked
        assert plain.do("1 yes") == "Nothing was aborted."
        assert "'yes' is not a command" in plain.do("yes")
        plain.do("abort 1 wrong data")
        plain.do("yes")
        await plain.says("1: deploy of run r1 was aborted")
        assert "wrong data" in plain.text


async def test_long_lists_are_printed_in_pages(store: Path, client: BackendClient) -> None:
    for number in range(PAGE + 3):
        await client.make(f"event-{number}")
    async with opened(store) as plain:
        await plain.says("3 more: type more")
        assert f"{PAGE}: event-{PAGE - 1} " in plain.text
        assert plain.do("more").splitlines()[-1].startswith(f"{PAGE + 3}: ")
        assert plain.do("list EVENT-1 r1").count("event-1") == 11
        assert "None of them" in plain.do("list nothing")


async def test_of_many_changes_only_the_number_is_announced(
    store: Path, client: BackendClient
) -> None:
    async with opened(store) as plain:
        many = [make_event(f"event-{number}") for number in range(MAX_ANNOUNCED + 1)]
        for event in many:
            plain.inbox.on_event(event, "waiting")
        await plain.says("11 more events wait, from number 1 to 11.")
        for event in many:
            plain.inbox.on_event(replace(event, pending=False, phase="ABORTED"), "ended")
        await plain.says("11 events have ended.")


async def test_only_an_event_that_was_printed_can_be_answered(
    store: Path, client: BackendClient
) -> None:
    for number in range(PAGE + 1):
        await client.make(f"event-{number}")
    unseen = PAGE + 1
    async with opened(store) as plain:
        for command in (f"{unseen} yes", f"abort {unseen}"):
            assert f"event {unseen} was not printed yet" in plain.do(command)
        assert not plain.inbox.session.unfinished
        plain.do(f"show {unseen}")
        plain.do(f"{unseen} yes")
        await plain.says(f"{unseen}: event-{PAGE} of run r1 was approved")


async def test_the_prompt_that_a_listing_omitted_is_read(
    store: Path, client: BackendClient
) -> None:
    event = await client.ask(RUN, "q", prompt="Is this read?")
    async with opened(store) as plain:
        plain.inbox.on_event(replace(event, prompt=None, partial=True), "waiting")
        plain.do("show 1")
        await plain.says("| Is this read?")


async def test_commands_are_explained(store: Path, client: BackendClient) -> None:
    async with opened(store) as plain:
        assert "There is no undo" in plain.do("help")
        assert "'what' is not a command" in plain.do("what now")
        assert plain.do("") == ""
        plain.do("quit")
        assert plain.quits == 1


async def test_nothing_in_an_event_forges_a_line(store: Path, client: BackendClient) -> None:
    forged = "2: review of run r1 was approved by ann."
    wrapped = f"{'x' * 70} {forged} " * 3
    lines = f"{HOSTILE}\n{forged}\n" * 3
    async with opened(store) as plain:
        for text in (wrapped, lines):
            event = make_event(f"a\n{forged}", run_name=text, prompt=text, description=text)
            plain.inbox.on_event(event, "waiting")
        await plain.says("New: 2: ")
        printed = [*plain.lines]
        for command in ("show 1", "show 2", f"abort 1 {wrapped}", "no", wrapped, "list"):
            plain.do(command)
            printed += plain.lines
        assert all(is_safe(character) for line in printed for character in line)
        assert not [line for line in printed if line.startswith("2: review")]


@pytest.mark.posix
def test_the_plain_mode_in_a_terminal_redraws_nothing(start: Start, other: Process) -> None:
    ask(other, "deploy")
    terminal = start("--plain")
    terminal.wait_for("1: deploy of run r, bool.")
    terminal.type("show 1\n")
    terminal.wait_for("| Approve?")
    answer(other, True)
    terminal.wait_for("1: deploy of run r was approved")
    assert terminal.style("1: deploy") == ("default", False)
    assert [line for line in terminal.lines if line][-1].startswith("1: ")
    terminal.type("\x04")
    assert terminal.status() == 0


@pytest.mark.posix
@pytest.mark.parametrize("arguments", [(), ("--plain",)])
def test_ctrl_c_ends_the_wait_for_a_result(
    start: Start, other: Process, store: Path, arguments: Sequence[str]
) -> None:
    ask(other, "deploy")
    terminal = start(*arguments)
    terminal.wait_for("deploy")
    with closing(sqlite3.connect(store, isolation_level=None)) as locked:
        locked.execute("BEGIN IMMEDIATE")
        terminal.type("1 yes\nquit\n" if arguments else "y")
        if not arguments:
            terminal.wait_for("being sent")
            terminal.type("q")
        terminal.wait_for("waiting for the outcome (Ctrl-C to exit)")
        terminal.type("\x03")
        terminal.wait_for("No result arrived for deploy of run r")
        assert "It is unknown whether this took effect" in terminal.text
        assert terminal.text.count("No result arrived") == 1
    assert terminal.status() == 0


@pytest.mark.posix
def test_a_dumb_terminal_gets_the_plain_mode(start: Start, other: Process) -> None:
    ask(other, "deploy")
    terminal = start(term="dumb")
    terminal.wait_for("1: deploy of run r, bool.")
    terminal.type("\x03")
    assert terminal.status() == 0
