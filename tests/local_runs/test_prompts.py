"""Real SDKs at a terminal: the prompt and the TUI, while other processes may answer too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local_runs.conftest import NEWEST, OLDEST, WORKFLOWS, Inbox, of_releases
from tests.terminal import Terminal

pytestmark = pytest.mark.posix

Open = Callable[..., Terminal]


@pytest.fixture
def open_terminal(python: Path, home: dict[str, str]) -> Iterator[Open]:
    """Run a program of the SDK's environment in a terminal."""
    opened: list[Terminal] = []

    def start(program: str, *arguments: str | Path) -> Terminal:
        command = (python.with_name(program), *arguments)
        opened.append(Terminal(command, home, WORKFLOWS.parent))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


@pytest.mark.timeout(600)  # the first test installs the SDK
@of_releases(OLDEST, NEWEST)
def test_the_first_answer_wins_at_the_terminal_or_elsewhere(
    open_terminal: Open, inbox: Inbox
) -> None:
    terminal = open_terminal("python", WORKFLOWS, "texts")
    terminal.wait_for("Approve?:")
    terminal.type("half an answer")
    terminal.wait_for("Approve?: half an answer")
    inbox.answer(inbox.wait_for("first")["first"], "from elsewhere")
    terminal.wait_for("first of run")
    terminal.wait(lambda screen: "half" not in screen and "second" in screen)
    second = inbox.wait_for("second")["second"]
    terminal.type("mine\r")
    terminal.wait_for("RESULT")
    assert json.loads(terminal.text.rpartition("RESULT")[2]) == ["from elsewhere", "mine"]
    inbox.wait_for()
    assert (inbox.ended["actionName"], inbox.ended["payload"]) == (second["actionName"], "mine")


def test_a_run_of_the_flyte_command_asks_at_its_terminal(open_terminal: Open, inbox: Inbox) -> None:
    terminal = open_terminal("flyte", "run", "--local", WORKFLOWS.name, "one")
    terminal.wait_for("Deploy? [y/n]:")
    inbox.wait_for("approve")
    terminal.type("n\r")
    terminal.wait_for("Completed Local Run")
    inbox.wait_for()
    assert inbox.ended["payload"] is False


def test_the_tui_and_other_processes_can_answer(open_terminal: Open, inbox: Inbox) -> None:
    terminal = open_terminal("flyte", "run", "--local", "--tui", WORKFLOWS.name, "three")
    terminal.wait_for("Deploy?")
    inbox.answer(inbox.wait_for("first")["first"], True)
    terminal.wait_for("Condition: second")
    second = inbox.wait_for("second")["second"]
    terminal.type("\t\r" * 10)  # reaches the button Yes
    inbox.wait_for()
    assert (inbox.ended["actionName"], inbox.ended["payload"]) == (second["actionName"], True)
    inbox.wait_for("third")
    terminal.type("q")
    inbox.wait_for()
    assert (inbox.ended["phase"], inbox.ended["abortReason"]) == ("ABORTED", "the TUI was closed")
