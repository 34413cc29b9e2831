"""`flyte-sidecar abort`: end an event without an answer, or all that match."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from flyte_sidecar.cli.answering import writes
from flyte_sidecar.cli.answering.event_name import add_event, event_name, find
from flyte_sidecar.cli.answering.results import add_json_event, print_outcome
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.arguments.values import text
from flyte_sidecar.cli.bulk.arguments import WITH_ALL, WITHOUT_RUN, add_choice, choice_of
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser, without_run=WITHOUT_RUN)
    parser.add_argument(
        "--reason", metavar="TEXT", type=text, help="why, for people to read (default: none)"
    )
    add_json_event(parser, WITH_ALL)
    add_choice(parser)


def run(
    options: Options,
    run_name: str | None,
    name: str | None,
    action: str | None,
    reason: str | None,
    as_json: bool,
    **choice: Any,
) -> int:
    """Abort events, print their outcome, and return the exit status.

    Raises as `signal` and `run_on_all`.
    """
    chosen = choice_of(run_name, name, action, **choice)
    if chosen is not None:
        from flyte_sidecar.cli.bulk.action import aborting
        from flyte_sidecar.cli.bulk.performing import run_on_all

        return run_on_all(options, chosen, aborting(reason), as_json=as_json)
    named = event_name(run_name or "", name, action)

    async def work(service: EventService) -> int:
        event = await find(service, named)
        aborted = await writes.abort(service, event, reason)
        print_outcome(aborted, as_json=as_json, earlier=not event.pending)
        return 0

    return run_on_events(options, work)
