"""A program in a terminal, as the person in front of it sees it."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyte

from tests.conftest import TEST_TIMEOUT

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

COLUMNS, ROWS = 88, 24

_STRINGS = re.compile(rb"\x1b[P_^X].*?\x1b\\", re.DOTALL)
"""Control strings, such as queries for capabilities; pyte would print them."""

_UNFINISHED = re.compile(rb"\x1b(?:[P_^X].*)?\Z", re.DOTALL)


class _Screen(pyte.Screen):
    """A screen that answers a program's questions about the terminal."""

    def __init__(self, columns: int, rows: int, answer: Callable[[bytes], object]) -> None:
        super().__init__(columns, rows)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Terminal:
    """A terminal in which a program runs until `close`. A thread reads what the program writes."""

    def __init__(
        self,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        folder: Path,
        *,
        columns: int = COLUMNS,
        rows: int = ROWS,
        term: str = "xterm-256color",
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._master, self._slave = pty.openpty()
        self._screen = _Screen(columns, rows, lambda data: os.write(self._master, data))
        self.resize(columns, rows)
        self._changed = threading.Condition()
        # The first terminal that a session opens becomes its controlling terminal: Emacs needs one.
        opened = ("sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(self._slave))
        self._popen = subprocess.Popen(
            [*opened, *map(str, command)],
            cwd=folder,
            env={**env, "TERM": term, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            pass_fds=pass_fds,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, without the spaces at their ends."""
        with self._changed:
            return self._lines()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def cells(self) -> list[list[pyte.screens.Char]]:
        """The cells of each row of the screen, with their styles."""
        with self._changed:
            rows, columns = range(self._screen.lines), range(self._screen.columns)
            return [[self._screen.buffer[row][column] for column in columns] for row in rows]

    def style(self, text: str) -> tuple[str, bool]:
        """Return the colour of a text on the screen, and whether it is bold."""
        with self._changed:
            row = next(n for n, line in enumerate(self._lines()) if text in line)
            cell = self._screen.buffer[row][self._lines()[row].index(text)]
            return cell.fg, cell.bold

    def type(self, keys: str | bytes) -> None:
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def wait(self, condition: Callable[[str], object]) -> None:
        """Wait until a condition on the text of the screen is true."""
        deadline = time.monotonic() + TEST_TIMEOUT
        with self._changed:
            while not condition(text := "\n".join(self._lines())):
                assert time.monotonic() < deadline, f"never shown; the screen is\n{text}"
                if not self._changed.wait(1.0):
                    assert self._popen.poll() is None, f"the program ended; the screen is\n{text}"

    def wait_for(self, text: str) -> None:
        """Wait until the screen contains a text."""
        self.wait(lambda screen: text in screen)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)  # a child may ignore SIGHUP
        self._popen.wait()
        os.close(self._slave)  # the end of the output, once no other process has the terminal open
        self._reader.join()
        os.close(self._master)

    def _lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def _read(self) -> None:
        stream, unread = pyte.ByteStream(self._screen), b""
        with suppress(OSError):  # Linux's end of a terminal's output
            while data := os.read(self._master, 1 << 16):
                text = _STRINGS.sub(b"", unread + data)
                unfinished = _UNFINISHED.search(text)
                complete = len(text) if unfinished is None else unfinished.start()
                unread = text[complete:]
                with self._changed:
                    stream.feed(text[:complete])
                    self._changed.notify_all()
