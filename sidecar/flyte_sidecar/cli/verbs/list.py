"""`flyte-sidecar list`: list the events of a run."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime

from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.answering.similar_names import did_you_mean
from flyte_sidecar.cli.arguments.values import UsageError, add_json, text
from flyte_sidecar.cli.listings import pages_of_run
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.cli.table import Column, Table
from flyte_sidecar.cli.times import age
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.outcome_text import value
from flyte_sidecar.events.plain_text import one_line, sanitize
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options

COLUMNS = (
    Column("NAME", usual=20, is_bold=True),
    Column("TYPE", usual=5, rank=3),
    Column("PHASE", usual=9),
    Column("AGE", usual=3, rank=2),
    Column("ANSWER", usual=10, is_text=True),
    Column("BY", usual=10, rank=4),
    Column("PROMPT", rank=1, is_text=True),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operand and the option."""
    parser.add_argument("run_name", metavar="RUN", type=text, help="name of the run")
    add_json(parser, "event per line")


def run(options: Options, run_name: str, as_json: bool) -> int:
    """Print the events of a run, and return the exit status.

    Raises
    ------
    SidecarError
        If the events cannot be listed.
    """
    if not run_name:
        raise UsageError("RUN must not be empty")
    table, now = Table(COLUMNS), datetime.now(UTC)

    async def work(service: EventService) -> int:
        is_empty = True
        async for page in pages_of_run(service, run_name):
            is_empty = is_empty and not page.events
            if as_json:
                print_json(*page.events)
            else:
                rows = [_row(event, now) for event in page.events]
                print_lines(table.lines(rows, more=page.next_cursor is not None))
        if is_empty and not as_json:
            hint = await did_you_mean(service, run_name)
            text = f"No events of run {one_line(run_name)}{hint or '.'}"
            print(sanitize(text), file=sys.stderr)
        return 0

    return run_on_events(options, work)


def _row(event: Event, now: datetime) -> list[str]:
    answer = event.abort_reason or ""
    if event.payload is not None:
        answer = value(event.payload)
    cells = [
        event.name,
        event.expected_type or "?",
        event.phase,
        age(event, now),
        answer,
        event.signalled_by or "",
        event.prompt or "",
    ]
    return [sanitize(cell) for cell in cells]
