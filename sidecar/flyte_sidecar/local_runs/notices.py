"""Lines for the person who started a run, on stderr."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress

from flyte_sidecar.events.model import SUCCEEDED, Event
from flyte_sidecar.events.plain_text import sanitize

_shown_reasons: set[str] = set()

MAX_TEXT = 200
"""Maximum number of characters of a prompt or a name in a line."""


def waiting(event: Event) -> str:
    """Return the line for a condition that waits for an answer from elsewhere."""
    arguments = " ".join(map(shlex.quote, (event.run_name, event.name)))
    return (
        f"{_condition(event)} waits for a value of type {event.expected_type}:"
        f" {_short(event.prompt or '')}  [flyte answer {arguments} VALUE]"
    )


def ended(event: Event) -> str:
    """Return the line for a condition that was answered or ended elsewhere."""
    if event.phase != SUCCEEDED:
        reason = f": {event.abort_reason}" if event.abort_reason else ""
        return f"{_condition(event)} ended: {event.phase}{_short(reason)}"
    return f"{_condition(event)} was answered by {_short(event.signalled_by or 'another process')}"


def show_unavailable(error: Exception) -> None:
    """Print once per reason that conditions cannot be answered from elsewhere."""
    reason = str(error) or type(error).__name__
    if reason not in _shown_reasons:
        _shown_reasons.add(reason)
        show(f"conditions can be answered only here: {_short(reason)}")


def show(line: str) -> None:
    """Print a line, wherever stderr leads."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"flyte-sidecar: {line}\n")
        sys.stderr.flush()


def _condition(event: Event) -> str:
    return f"condition {_short(event.name)!r} of run {_short(event.run_name)}"


def _short(text: str) -> str:
    line = " ".join(sanitize(text[: 2 * MAX_TEXT]).split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"
