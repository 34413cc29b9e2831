"""Detects what others print to the terminal while a prompt is on it.

Without that, clearing the prompt could erase the output of a task. The terminal cannot be asked, so
the `write` methods of the standard streams are shadowed. Loggers that keep a reference to a stream
are noticed too. Output that bypasses these streams, such as that of child processes, is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO, Any

from flyte_sidecar.local_runs.tty import is_tty


class OtherOutput:
    """Calls `on_output` before each write to a standard stream, from `watch` until `stop`."""

    def __init__(self, on_output: Callable[[], None]) -> None:
        self._on_output = on_output
        self._shadows: list[tuple[IO[str], Any]] = []

    def watch(self) -> None:
        """Watch the standard streams that are terminals now."""
        watched = [stream for stream, _ in self._shadows]
        for stream in (sys.stdout, sys.stderr):
            if is_tty(stream) and stream not in watched and hasattr(stream, "__dict__"):
                shadow = self._shadow(stream.write)
                self._shadows.append((stream, shadow))
                vars(stream)["write"] = shadow

    def stop(self) -> None:
        """Restore the streams."""
        while self._shadows:
            stream, shadow = self._shadows.pop()
            if vars(stream).get("write") is shadow:
                del vars(stream)["write"]

    def _shadow(self, write: Callable[[str], int]) -> Callable[[str], int]:
        def write_and_notice(text: str) -> int:
            self._on_output()
            return write(text)

        return write_and_notice
