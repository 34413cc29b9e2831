"""Detects what others print to the terminal while a prompt is on it.

Without that, clearing the prompt could erase the output of a task. The `write` methods of the
standard streams are shadowed, because a terminal cannot be asked for the position of its cursor
while a person types. Loggers that keep a reference to a stream are noticed too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO, Any

from flyte_sidecar.local_runs.terminal.direct_output import DirectOutput
from flyte_sidecar.local_runs.terminal.terminal_device import is_tty


class OtherOutput:
    """Calls `on_output` before each write to a standard stream, from `watch` until `stop`."""

    def __init__(self, on_output: Callable[[], None]) -> None:
        self._on_output = on_output
        self._direct = DirectOutput()
        self._shadows: list[tuple[IO[str], Any]] = []

    def watch(self) -> None:
        """Watch the standard streams that are terminals now."""
        watched = [stream for stream, _ in self._shadows]
        for stream in (sys.stdout, sys.stderr):
            if is_tty(stream) and stream not in watched and hasattr(stream, "__dict__"):
                shadow = self._shadow(stream.write)
                self._shadows.append((stream, shadow))
                vars(stream)["write"] = shadow
                self._direct.watch(stream.fileno())

    def stop(self) -> None:
        """Restore the streams."""
        while self._shadows:
            stream, shadow = self._shadows.pop()
            if vars(stream).get("write") is shadow:
                del vars(stream)["write"]

    def poll(self) -> None:
        """Call `on_output` if there was output that bypassed the streams."""
        if self._direct.seen():
            self._on_output()

    def _shadow(self, write: Callable[[str], int]) -> Callable[[str], int]:
        def write_and_notice(text: str) -> int:
            self._on_output()
            return write(text)

        return write_and_notice
