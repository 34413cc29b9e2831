"""`flyte-sidecar abort`: end an event without an answer."""

from __future__ import annotations

from argparse import ArgumentParser

from flyte_sidecar.cli.answering import writes
from flyte_sidecar.cli.answering.event_name import add_event, event_name, find
from flyte_sidecar.cli.answering.results import add_json_event, print_outcome
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.arguments.values import text
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser)
    parser.add_argument(
        "--reason", metavar="TEXT", type=text, help="why, for people to read (default: none)"
    )
    add_json_event(parser)


def run(
    options: Options,
    run_name: str,
    name: str | None,
    action: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Abort an event, print its outcome, and return the exit status; raises as `signal`."""
    named = event_name(run_name, name, action)

    async def work(service: EventService) -> int:
        event = await find(service, named)
        aborted = await writes.abort(service, event, reason)
        print_outcome(aborted, as_json=as_json, earlier=not event.pending)
        return 0

    return run_on_events(options, work)
