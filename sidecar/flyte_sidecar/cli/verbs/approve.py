"""`flyte-sidecar approve`: answer an event with yes, or all that match."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from flyte_sidecar.cli.answering.event_name import add_event, event_name, find
from flyte_sidecar.cli.answering.results import add_json_event, print_outcome
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.answering.writes import signal_bool
from flyte_sidecar.cli.bulk.arguments import WITH_ALL, WITHOUT_RUN, add_choice, choice_of
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser, without_run=WITHOUT_RUN)
    add_json_event(parser, WITH_ALL)
    add_choice(parser)


def run(
    options: Options,
    run_name: str | None,
    name: str | None,
    action: str | None,
    as_json: bool,
    **choice: Any,
) -> int:
    """Approve events, print their outcome, and return the exit status; raises as `run_bool`."""
    return run_bool(options, run_name, name, action, as_json, payload=True, **choice)


def run_bool(
    options: Options,
    run_name: str | None,
    name: str | None,
    action: str | None,
    as_json: bool,
    *,
    payload: bool,
    **choice: Any,
) -> int:
    """Answer an event with a bool, or all that match; raises as `signal` and `run_on_all`."""
    chosen = choice_of(run_name, name, action, **choice)
    if chosen is not None:
        from flyte_sidecar.cli.bulk.action import answering
        from flyte_sidecar.cli.bulk.performing import run_on_all

        return run_on_all(options, chosen, answering(payload), as_json=as_json)
    named = event_name(run_name or "", name, action)

    async def work(service: EventService) -> int:
        event = await find(service, named)
        answered = await signal_bool(service, event, payload)
        print_outcome(answered, as_json=as_json, earlier=service.is_over(event))
        return 0

    return run_on_events(options, work)
