"""`flyte-sidecar approve`: answer an event with yes."""

from __future__ import annotations

from argparse import ArgumentParser

from flyte_sidecar.cli.answering.event_name import add_event, event_name, find
from flyte_sidecar.cli.answering.results import add_json_event, print_outcome
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.answering.writes import signal_bool
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser)
    add_json_event(parser)


def run(
    options: Options, run_name: str, name: str | None, action: str | None, as_json: bool
) -> int:
    """Approve an event, print its outcome, and return the exit status; raises as `signal`."""
    return run_bool(options, run_name, name, action, as_json, payload=True)


def run_bool(
    options: Options,
    run_name: str,
    name: str | None,
    action: str | None,
    as_json: bool,
    *,
    payload: bool,
) -> int:
    """Answer an event with a bool; raises as `signal`."""
    named = event_name(run_name, name, action)

    async def work(service: EventService) -> int:
        event = await find(service, named)
        answered = await signal_bool(service, event, payload)
        print_outcome(answered, as_json=as_json, earlier=service.is_over(event))
        return 0

    return run_on_events(options, work)
