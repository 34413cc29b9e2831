"""Lines for the person who started a run, on stderr."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress

from msgspec.structs import replace

from flyte_sidecar.events.model import Event
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, outcome
from flyte_sidecar.events.plain_text import one_line

_shown_reasons: set[str] = set()


def waiting(event: Event, ambiguous: bool) -> str:
    """Return the line for a condition that waits for an answer from elsewhere.

    Parameters
    ----------
    ambiguous
        Whether another condition of the name waits in the run.
    """
    action = ["--action", event.action_name] if ambiguous else []
    names = (event.run_name, event.name)
    dashes = ["--"] if any(name.startswith("-") for name in names) else []
    command = shlex.join(["flyte", "answer", *action, *dashes, *names])
    return (
        f"condition {one_line(event.name)!r} of run {one_line(event.run_name)} waits for a value of"
        f" type {event.expected_type}: {one_line(event.prompt or '', MAX_TEXT_LENGTH)}"
        f"  [{one_line(command, MAX_TEXT_LENGTH)} VALUE]"
    )


def ended(event: Event) -> str:
    """Return the line for a condition that ended elsewhere, without a text: that may be secret."""
    return outcome(replace(event, payload=None) if isinstance(event.payload, str) else event)


def show_unavailable(error: Exception) -> None:
    """Print once per reason that conditions cannot be answered from elsewhere."""
    reason = str(error) or type(error).__name__
    if reason not in _shown_reasons:
        _shown_reasons.add(reason)
        show(f"conditions can be answered only here: {one_line(reason, MAX_TEXT_LENGTH)}")


def show(line: str) -> None:
    """Print a line, wherever stderr leads."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"flyte-sidecar: {line}\n")
        sys.stderr.flush()
