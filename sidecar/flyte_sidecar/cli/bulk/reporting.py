"""Prints one result for each event, and a summary."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from flyte_sidecar.cli.bulk.action import Action
from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.cli.quantities import quantity
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    PayloadTypeMismatch,
    SidecarError,
)
from flyte_sidecar.events.bulk import EventResult
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, outcome, title
from flyte_sidecar.events.plain_text import one_line

SHOWN = 15
"""Events that are shown before a confirmation."""

ENDED_BEFORE = (AlreadySignalled, AlreadyCompleted)


def preview(
    events: Sequence[Event], *, width: int | None = None, styled: bool | None = None
) -> list[str]:
    """Return the first events as a table, and how many others there are."""
    table = EventTable(several_projects=True, width=width, styled=styled)
    lines = table.lines(events[:SHOWN])
    if len(events) > SHOWN:
        rest = quantity(len(events) - SHOWN, "more event")
        lines.append(f"... and {rest}; --dry-run lists all")
    return lines


class Report:
    """The results so far."""

    def __init__(self, action: Action, events: Sequence[Event], *, as_json: bool) -> None:
        self._action = action
        self._as_json = as_json
        self._left = len(events)
        self._counts = Counter[str]()
        self._failures: dict[str, list[SidecarError]] = {}

    @property
    def has_failures(self) -> bool:
        """Whether an event was not changed, and did not end otherwise."""
        return bool(self._failures)

    def add(self, event: Event, result: EventResult) -> None:
        """Print the result for an event; raises `OSError` if stdout cannot be written."""
        self._left -= 1
        line = self._line(event, result)
        if self._as_json:
            print_json(
                {
                    "runName": event.run_name,
                    "actionName": event.action_name,
                    "name": event.name,
                    "org": event.org,
                    "project": event.project,
                    "domain": event.domain,
                    "event": result.event,
                    "error": result.error,
                }
            )
        else:
            print_lines([line])

    def print_summary(self) -> None:
        """Print to stderr how many events were changed, and why others were not."""
        parts = [f"{number:,} {what}" for what, number in self._counts.items()]
        if self._left:
            parts.append(f"{self._left:,} not tried")
        print(f"flyte-sidecar: {', '.join(parts)}", file=sys.stderr)
        for kind, errors in self._failures.items():
            message = one_line(errors[0].message, MAX_TEXT_LENGTH)
            print(f"  {kind} ({len(errors):,}): {message}", file=sys.stderr)

    def _line(self, event: Event, result: EventResult) -> str:
        """Count a result, and return it as a sentence."""
        done, error = self._action.participle, result.error
        if error is None:
            assert result.event is not None
            self._counts[done] += 1
            return outcome(result.event)
        if isinstance(error, ENDED_BEFORE):
            self._counts["had ended before"] += 1
            return outcome(error.data["event"], earlier=True)
        message = f"{error.kind}: {one_line(error.message, MAX_TEXT_LENGTH)}"
        if isinstance(error, PayloadTypeMismatch):
            self._counts["left"] += 1
            return f"{title(event)} was left: {message}"
        self._failures.setdefault(error.kind, []).append(error)
        if error.data.get("outcome") == "unknown":
            self._counts["unknown"] += 1
            return f"It is unknown whether {title(event)} was {done}: {message}"
        self._counts["failed"] += 1
        return f"{title(event)} was not {done}: {message}"
