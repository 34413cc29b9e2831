"""The confirmation, at a real pseudo-terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyte_sidecar import Event
from tests.cli.answering.conftest import Backend
from tests.cli.verbs import Environment
from tests.terminal import Terminal

pytestmark = pytest.mark.posix

Start = Callable[[str], Terminal]


@pytest.fixture
def start(env: Environment, tmp_path: Path) -> Iterator[Start]:
    """Starts a line of a shell at a terminal, which then shows the exit status."""
    started: list[Terminal] = []

    def start(line: str) -> Terminal:
        script = ("bash", "-c", f'{line}; echo "status $?"; cat')
        started.append(Terminal(script, env, tmp_path, columns=60))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


def phases() -> dict[str, str]:
    return {event.name: event.phase for event in Event.listall(run_name="r1")}


def test_exactly_the_events_that_are_shown_are_changed(start: Start, local: Backend) -> None:
    for number in range(16):
        local.ask(f"n{number}", prompt="Deploy\x1b[2J " + "x" * 100)
    local.ask("rate", "float")
    terminal = start("flyte-sidecar approve --all")
    terminal.wait_for("Type yes to approve 16 events of 1 run:")
    titles, *rows, more, note, _ = [line for line in terminal.lines if line]
    assert titles.split() == ["RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT"]
    assert [row.split()[1] for row in rows] == [f"n{number}" for number in range(15)]
    assert all(len(row) == 60 and r"Deploy\x1b[2J" in row for row in rows)
    assert more == "... and 1 more event; --dry-run lists all"
    assert note == "not included: 1 event of another type than bool"
    local.ask("later")
    Event.get("n3", run_name="r1").signal(False)
    terminal.type("yes\r")
    terminal.wait_for("status 0")
    assert "flyte-sidecar: 15 approved, 1 had ended before" in terminal.text
    assert re.search(r"^n3 of run r1 was already rejected by ", terminal.text, re.MULTILINE)
    assert phases()["later"] == phases()["rate"] == "PAUSED"


@pytest.mark.parametrize(("typed", "status"), [("y\r", 1), ("\x04", 1), ("\x03", 130)])
def test_nothing_is_changed_without_the_confirmation(
    start: Start, local: Backend, typed: str, status: int
) -> None:
    local.ask("deploy")
    terminal = start("trap : INT; flyte-sidecar abort --all >results")
    terminal.wait_for("Type yes to abort 1 event of 1 run:")
    terminal.type(typed)
    terminal.wait_for(f"status {status}")
    cancelled = "request_cancelled: yes was not entered: nothing was changed"
    assert (cancelled in terminal.text) == (status == 1)
    assert phases() == {"deploy": "PAUSED"}
