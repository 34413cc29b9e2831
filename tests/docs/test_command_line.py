"""The examples of docs/command-line.md, as a shell shows them at a terminal.

With UPDATE_CAPTURES=1, the tests replace what the examples show. What a person enters is kept.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.verbs import edit_events
from tests.conftest import run
from tests.docs.blocks import Block, claim
from tests.terminal import Terminal

pytestmark = pytest.mark.posix

NAME = "docs/command-line.md"
SECTIONS = ("See what waits", "Answer an event", "Many events at once")
EXAMPLES = {section: claim(NAME, "console", section) for section in SECTIONS}
FIRST_ANSWER = [
    *claim("docs/getting-started.md", "console", "Create an event"),
    *claim("docs/getting-started.md", "console", "Shell"),
]
[SCRIPT] = claim(NAME, "bash", "In scripts")
EVENT_IDS = ("e52a1f9c07d34b86a", "e9c0d7b31f6a2e485")

_ID = re.compile(r"\be[0-9a-f]{16}\b")
_FIELD = r"^(?:\$|(?:Answer|Event) \[.*?\]:|Type yes to .*?:)"
_ENTERED = re.compile(rf"{_FIELD} (.+)$", re.MULTILINE)
_READY = re.compile(rf"{_FIELD}\Z", re.MULTILINE)


class Shell(Terminal):
    """A shell at a terminal, in which the commands and answers of an example are entered."""

    def __init__(
        self, env: dict[str, str], folder: Path, *, columns: int = 110, rows: int = 60
    ) -> None:
        shell = ("bash", "--norc", "--noprofile", "--noediting", "-i")
        super().__init__(shell, env, folder, columns=columns, rows=rows)

    def wait_until_ready(self) -> None:
        """Wait until the shell or a question is ready for a line."""
        self.wait(lambda screen: _READY.search(screen.rstrip()))

    def enter(self, line: str) -> None:
        before = self.text.rstrip()
        typed = _ID.sub(lambda _: self._ids()[0], line)
        self.type(f"{typed}\r")
        self.wait(lambda screen: screen.startswith(f"{before} {typed}"))

    def example(self) -> str:
        """Return the screen at its end, without times, dates and ids."""
        self.wait(lambda screen: screen.rstrip().endswith("\n$"))
        screen = self.text.rstrip().removesuffix("$")
        for real, example in zip(self._ids(), EVENT_IDS, strict=False):
            screen = screen.replace(real, example)
        screen = re.sub(r"\b20\d\d-\d\d-\d\d \d\d:\d\d", "2026-03-02 14:02", screen)
        return re.sub(r"14:02:\d\d", "14:02:10", screen)

    def _ids(self) -> list[str]:
        """Return the ids of events on the screen, in the order of their first appearance."""
        return [*dict.fromkeys(_ID.findall(self.text))]


@pytest.fixture
def env(command: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**command, "PS1": "$ ", "TZ": "UTC", "LOGNAME": "user", "HOME": str(tmp_path)}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_examples_show_what_a_terminal_shows(
    env: dict[str, str], store: Path, tmp_path: Path, section: str
) -> None:
    for example in EXAMPLES[section]:
        check_example(example, env, store, tmp_path)


def test_the_first_event_is_answered_as_in_the_example(
    env: dict[str, str], store: Path, tmp_path: Path
) -> None:
    for example in FIRST_ANSWER:
        check_example(example, env, store, tmp_path)


def check_example(block: Block, env: dict[str, str], store: Path, folder: Path) -> None:
    """Enter the commands and answers of an example, and compare it with the screen."""
    shell = Shell(env, folder)
    try:
        for line in _ENTERED.findall(block.text):
            shell.wait_until_ready()
            age_events(store)
            shell.enter(line)
        screen = shell.example()
    finally:
        shell.close()
    if os.environ.get("UPDATE_CAPTURES"):
        block.replace(screen)
    else:
        assert screen == block.text


def age_events(store: Path) -> None:
    """Let all events be 12 minutes old."""
    if store.exists():
        created_at = datetime.now(UTC) - timedelta(minutes=12)
        edit_events(store, createdAt=created_at.isoformat().replace("+00:00", "Z"))


def test_the_example_of_a_script_works(env: dict[str, str], tmp_path: Path) -> None:
    script = SCRIPT.text
    answer = "flyte-sidecar signal r6 rate 0.5 >answer"
    done = run("bash", "-c", script.replace("rate=", f"{answer}\nrate=", 1), env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "the rate is 0.5\n")
