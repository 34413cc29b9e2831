"""Results on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from flyte_sidecar.cli import terminal
from flyte_sidecar.protocol.results import encode


def print_json(*results: object) -> None:
    """Print events, or other results, as JSON, one per line."""
    _write(b"".join(terminal.sanitize_json(encode(result)) + b"\n" for result in results))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines for people."""
    _write(b"".join(map(terminal.line, lines)))


def print_value(text: str) -> None:
    """Print a line as UTF-8, whatever encoding the locale has: it is data."""
    _write(f"{text}\n".encode())


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
