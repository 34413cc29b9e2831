"""`flyte-sidecar get`: show one event."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.answering.event_name import add_event, event_name, find
from flyte_sidecar.cli.answering.quoting import quoted_prompt
from flyte_sidecar.cli.answering.results import add_json_event
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.cli.times import short_duration
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.outcome_text import value
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options

DEFAULT_COLUMNS = 80
"""Columns of the output if stdout is not a terminal."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser)
    add_json_event(parser)


def run(
    options: Options, run_name: str, name: str | None, action: str | None, as_json: bool
) -> int:
    """Print an event, and return the exit status.

    Raises
    ------
    UsageError
        If the arguments name no event.
    SidecarError
        If there is no such event, or it cannot be read.
    """
    named = event_name(run_name, name, action)

    async def work(service: EventService) -> int:
        event = await find(service, named)
        if as_json:
            print_json(event)
        else:
            print_lines(_lines(event))
        return 0

    return run_on_events(options, work)


def _lines(event: Event) -> Iterator[str]:
    """Yield the facts that are known, one per line, then the prompt and the description."""
    paint = terminal.painter()
    facts = {label: text for label, text in _facts(event) if text is not None}
    width = max(map(len, facts)) + 2
    for label, text in facts.items():
        shown = sanitize(text)
        yield paint(f"{label:{width}}", terminal.DIM) + shown
    columns = terminal.columns() or DEFAULT_COLUMNS
    if quoted := quoted_prompt(event, columns, sys.stdout.encoding, styled=terminal.has_colour()):
        yield ""
        yield from quoted


def _facts(event: Event) -> Iterator[tuple[str, str | None]]:
    yield "name", event.name
    yield "run", event.run_name
    yield "action", event.action_name
    yield "parent", event.parent
    yield "group", event.group
    yield "org", event.org
    yield "project", event.project
    yield "domain", event.domain
    yield "type", event.expected_type
    yield "phase", event.phase
    yield "created", _instant(event.created_at)
    yield "expires", _instant(event.expires_at)
    yield "ended", _instant(event.ended_at)
    yield "answer", None if event.payload is None else value(event.payload)
    yield "answered by", event.signalled_by
    yield "reason", event.abort_reason
    yield "url", event.url


def _instant(instant: datetime | None) -> str | None:
    """Return an instant in local time, and how long ago it was or will be."""
    if instant is None:
        return None
    seconds = (datetime.now(UTC) - instant).total_seconds()
    duration = short_duration(abs(seconds))
    distance = f"{duration} ago" if seconds >= 0 else f"in {duration}"
    return f"{instant.astimezone():%Y-%m-%d %H:%M:%S} ({distance})"
