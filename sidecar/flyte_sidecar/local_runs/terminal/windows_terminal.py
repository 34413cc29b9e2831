"""The console of this process on Windows."""

from __future__ import annotations

import os
import sys
import threading
from typing import IO

from flyte_sidecar.local_runs.terminal.terminal_device import Size, is_tty


def is_available() -> bool:
    """Return whether stdin and an output are the console."""
    outputs: list[IO[str] | None] = [sys.stdout, sys.stderr]
    return is_tty(sys.stdin) and any(map(is_tty, outputs))


class WindowsTerminal:
    """A `TerminalDevice`, whose reads block until a line was typed: a console has no `select`.

    If the prompt is gone by then, the line is ignored.
    """

    can_clear = False

    def __init__(self) -> None:
        # A buffered reader would be locked by the thread that reads when the interpreter exits.
        self._input = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  # it stays open
        self._woken = threading.Event()

    def size(self) -> Size:
        size = os.get_terminal_size(self._output().fileno())
        return Size(size.columns, size.lines)

    def is_foreground(self) -> bool:
        return True

    def prepare_thread(self) -> None:
        pass

    def wake(self) -> None:
        self._woken.set()

    def wait(self, *, for_input: bool, timeout: float | None) -> bool:
        if not for_input:
            self._woken.wait(timeout)
            self._woken.clear()
        return for_input

    def has_input(self) -> bool:
        return False

    def read_line(self) -> str | None:
        line = self._input.readline()
        if not line or line.startswith(b"\x1a"):  # Ctrl-Z
            raise EOFError
        return line.decode(errors="surrogateescape").replace("\r\n", "\n")

    def discard_input(self) -> str:
        return ""

    def write(self, text: str) -> None:
        output = self._output()
        output.write(text)
        output.flush()

    def flush(self) -> None:
        pass

    def _output(self) -> IO[str]:
        return sys.stdout if is_tty(sys.stdout) else sys.stderr
