"""`flyte-sidecar answer`: answer an event that waits, which a person may choose."""

from __future__ import annotations

from argparse import ArgumentParser

from flyte_sidecar.cli.answering import asking
from flyte_sidecar.cli.answering.choosing import choose
from flyte_sidecar.cli.answering.event_name import EventName, add_event, event_name, find
from flyte_sidecar.cli.answering.results import add_json_event, print_outcome
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.answering.values import VALUE_HELP, read_value
from flyte_sidecar.cli.arguments.values import UsageError, text
from flyte_sidecar.errors import AmbiguousEvent
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser, without_run="default: any")
    parser.add_argument("value", metavar="VALUE", nargs="?", type=text, help=VALUE_HELP)
    add_json_event(parser)


def run(
    options: Options,
    run_name: str | None,
    name: str | None,
    value: str | None,
    action: str | None,
    as_json: bool,
) -> int:
    """Answer an event, print its outcome, and return the exit status; raises as `signal`.

    The event is the only one that waits, in the run and of the name if those are given. If there
    are several, a person chooses.
    """
    if action is not None and value is None:
        name, value = None, name
    if run_name is None and action is not None:
        raise UsageError("--action requires RUN")
    if run_name == "":
        raise UsageError("RUN must not be empty")
    named = None
    if run_name is not None and (name is not None or action is not None):
        named = event_name(run_name, name, action)
    given = read_value(value)

    async def work(service: EventService) -> int:
        if named is None:
            event = await choose(service, run_name, None)
        else:
            event = await _find(service, named)
        answered = await asking.answer(service, event, given)
        print_outcome(answered, as_json=as_json, earlier=service.is_over(event))
        return 0

    return run_on_events(options, work)


async def _find(service: EventService, named: EventName) -> Event:
    try:
        return await find(service, named)
    except AmbiguousEvent:
        if not asking.can_ask():
            raise
        return await choose(service, named.run, named.name)
