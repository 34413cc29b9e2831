"""`flyte-sidecar runs`: list the runs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime

from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.arguments.values import add_json
from flyte_sidecar.cli.listings import pages_of_runs, report_missing
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.cli.table import Column, Table
from flyte_sidecar.cli.times import short_duration
from flyte_sidecar.events.model import RunInfo, UnavailableBackend
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options

COLUMNS = (
    Column("RUN", usual=20, is_bold=True),
    Column("PROJECT", usual=11, rank=2),
    Column("DOMAIN", usual=11, rank=1),
    Column("PHASE", usual=9, rank=3),
    Column("AGE", usual=3, rank=4),
    Column("WAITING"),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--pending",
        dest="pending_only",
        action="store_true",
        help="only runs with events that wait for an answer",
    )
    add_json(parser, "run per line")


def run(options: Options, pending_only: bool, as_json: bool) -> int:
    """Print the runs, the newest first, and return the exit status.

    Raises
    ------
    SidecarError
        If the runs cannot be listed.
    """
    table, now = Table(COLUMNS), datetime.now(UTC)

    async def work(service: EventService) -> int:
        is_empty = True
        unavailable: list[UnavailableBackend] = []
        async for page in pages_of_runs(service, pending_only=pending_only):
            is_empty = is_empty and not page.runs
            unavailable = page.unavailable
            if as_json:
                print_json(*page.runs)
            else:
                rows = [_row(info, now) for info in page.runs]
                print_lines(table.lines(rows, more=page.next_cursor is not None))
        if is_empty and not as_json:
            text = "No runs with pending events." if pending_only else "No runs."
            print(text, file=sys.stderr)
        report_missing("runs", unavailable)
        return 0

    return run_on_events(options, work)


def _row(info: RunInfo, now: datetime) -> list[str]:
    created = info.created_at
    cells = [
        info.run_name,
        info.project or "",
        info.domain or "",
        info.phase or "",
        "" if created is None else short_duration((now - created).total_seconds()),
        str(info.pending_events),
    ]
    return [sanitize(cell) for cell in cells]
