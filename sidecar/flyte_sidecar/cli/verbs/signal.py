"""`flyte-sidecar signal`: answer an event."""

from __future__ import annotations

from argparse import ArgumentParser

from flyte_sidecar.cli.answering.asking import answer
from flyte_sidecar.cli.answering.event_name import add_event, event_name, find
from flyte_sidecar.cli.answering.results import add_json_event, print_outcome
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.answering.values import VALUE_HELP, read_value
from flyte_sidecar.cli.arguments.values import text
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser)
    parser.add_argument("value", metavar="VALUE", nargs="?", type=text, help=VALUE_HELP)
    add_json_event(parser)


def run(
    options: Options,
    run_name: str,
    name: str | None,
    value: str | None,
    action: str | None,
    as_json: bool,
) -> int:
    """Answer an event, print its outcome, and return the exit status.

    Raises
    ------
    UsageError
        If the arguments name no event, or there is no value and no terminal.
    SidecarError
        If the event is not answered.
    """
    if action is not None and value is None:
        name, value = None, name
    named = event_name(run_name, name, action)
    given = read_value(value)

    async def work(service: EventService) -> int:
        event = await find(service, named)
        answered = await answer(service, event, given)
        print_outcome(answered, as_json=as_json, earlier=service.is_over(event))
        return 0

    return run_on_events(options, work)
