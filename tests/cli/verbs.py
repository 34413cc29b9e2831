"""Running verbs whose output a test reads as it is printed."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.conftest import TEST_TIMEOUT
from tests.e2e.process import Process, wait_for_data

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

Environment = dict[str, str]


class RunningVerb:
    """A running verb, whose lines are read as they are printed."""

    def __init__(self, env: Environment, *arguments: str, **options: Any) -> None:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "flyte_sidecar", *arguments], env=env, **streams
        )
        self._text = b""
        self._from = -1 if self.popen.stdout is None else self.popen.stdout.fileno()

    def line(self) -> str:
        while b"\n" not in self._text:
            wait_for_data(self._from)
            data = os.read(self._from, 1 << 16)
            assert data, (self._text, self.rest())
            self._text += data
        line, _, self._text = self._text.partition(b"\n")
        return line.decode().rstrip("\r")

    def message(self) -> Any:
        return json.loads(self.line())

    def until(self, method: str) -> list[Any]:
        """Return the messages before the next one of a method."""
        messages: list[Any] = []
        while (message := self.message())["method"] != method:
            messages.append(message)
        return messages

    def rest(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and the rest of stderr."""
        _, stderr = self.popen.communicate(timeout=TEST_TIMEOUT)
        return self.popen.returncode, (stderr or b"").decode()

    def interrupt(self) -> tuple[int, str]:
        self.popen.send_signal(signal.SIGINT)
        return self.rest()


class Terminal(RunningVerb):
    """A verb that runs on a terminal with a number of columns."""

    def __init__(
        self, env: Environment, *arguments: str, columns: int = 100, **options: Any
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        super().__init__(env, *arguments, stdout=slave, **options)
        os.close(slave)
        self._from = self.master

    def lines(self) -> list[str]:
        """Return all lines up to the end."""
        text = b""
        try:
            while data := os.read(self.master, 1 << 16):
                text += data
        except OSError:  # the other end is closed
            pass
        assert self.rest()[0] == 0
        return text.decode().splitlines()


Started = list[RunningVerb]


def ask(other: Process, name: str = "deploy", run_name: str = "r", **more: Any) -> Any:
    return other.call("events.create", runName=run_name, name=name, **more)


def answer(other: Process, payload: Any, name: str = "deploy", run_name: str = "r") -> Any:
    return other.call("events.signal", runName=run_name, name=name, payload=payload)


def edit_events(store: Path, **members: str) -> None:
    """Change members of the stored events to values that only a deployment would have."""
    with closing(sqlite3.connect(store)) as file, file:
        for name, value in members.items():
            change = "UPDATE event SET document = json_set(document, ?, ?)"
            file.execute(change, (f"$.{name}", value))


def cells_of(line: str) -> list[str]:
    """Return the cells of a line."""
    return re.split(r"  +", line)
