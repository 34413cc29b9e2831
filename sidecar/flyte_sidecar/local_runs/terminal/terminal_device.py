"""What prompts need of a terminal; the implementation depends on the platform."""

from __future__ import annotations

import os
from typing import IO, Protocol

from msgspec import Struct


class Size(Struct, frozen=True):
    """The size of a terminal."""

    columns: int
    rows: int


class TerminalDevice(Protocol):
    """The terminal of this process, and a way to interrupt waiting for its input.

    Methods raise EOFError or OSError at the end of the input.

    Attributes
    ----------
    can_clear
        Whether the terminal understands control sequences.
    """

    can_clear: bool

    def size(self) -> Size: ...
    def is_foreground(self) -> bool:
        """Return whether the process may read from the terminal now."""

    def prepare_thread(self) -> None:
        """Prepare the calling thread for reading."""

    def wake(self) -> None:
        """Interrupt `wait`."""

    def wait(self, *, for_input: bool, timeout: float | None) -> bool:
        """Block for at most `timeout` seconds, and return whether there may be input."""

    def has_input(self) -> bool:
        """Return whether a line was typed and not read."""

    def read_line(self) -> str | None:
        """Return a line with its line end, which is missing after Ctrl-D; None if there is none."""

    def discard_input(self) -> str:
        """Discard what was typed and not read, and return it."""

    def write(self, text: str) -> None:
        """Write a text without blocking; `flush` writes the rest."""

    def flush(self) -> None:
        """Write what is not yet written, as far as that does not block."""


def is_tty(stream: IO[str] | None) -> bool:
    """Return whether a standard stream is a terminal."""
    try:
        return stream is not None and stream.isatty() and os.isatty(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False
