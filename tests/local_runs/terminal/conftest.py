"""Programs that prompt at a terminal."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, TEST_TIMEOUT
from tests.terminal import Terminal

PROGRAM = Path(__file__).with_name("prompting_program.py")


class PromptingProgram(Terminal):
    """A program at a terminal, and the socket through which its test controls it."""

    def __init__(self, folder: Path, shell: str | None = None, **options: Any) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(TEST_TIMEOUT)
        self._socket = ours
        self._replies = ours.makefile()
        program = [sys.executable, str(PROGRAM), str(theirs.fileno())]
        command = program if shell is None else ["bash", "-c", shell, "bash", *program]
        with theirs:
            kept = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
            env = {**kept, "PYTHONPATH": str(ROOT), "PS1": "$ "}
            super().__init__(command, env, folder, pass_fds=[theirs.fileno()], **options)

    def start(self, function: str, *arguments: Any) -> None:
        """Call a function of the program."""
        self._socket.sendall(json.dumps([function, *arguments]).encode() + b"\n")

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function of the program, and return its result."""
        self.start(function, *arguments)
        return self.reply()

    def reply(self) -> Any:
        """Return the result of the function that was called first."""
        return json.loads(self._replies.readline())

    def ask(
        self,
        name: str,
        expected_type: str = "bool",
        prompt: str = "Approve?",
        description: str = "",
    ) -> None:
        self.call("ask", name, expected_type, prompt, description)

    def leave(self, name: str) -> None:
        """Let the program ask without waiting for the answer."""
        self.call("leave", name, "bool", "Approve?", "")

    def shows(self, *lines: str) -> None:
        """Wait until the screen has exactly these lines; the last is the one with the cursor."""
        self.wait(lambda _: self._rows_up_to_cursor() == list(lines))

    def _rows_up_to_cursor(self) -> list[str]:
        rows = self._lines()
        below = self._screen.cursor.y + 1
        return rows[:below] if not any(rows[below:]) else rows

    def status(self) -> int:
        return self._popen.wait(TEST_TIMEOUT)

    def close(self) -> None:
        self._replies.close()
        self._socket.close()
        super().close()


Start = Callable[..., PromptingProgram]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program at a terminal; it ends with the test."""
    started: list[PromptingProgram] = []

    def start(**options: Any) -> PromptingProgram:
        started.append(PromptingProgram(tmp_path, **options))
        return started[-1]

    yield start
    for program in started:
        program.close()
