"""Does what a verb does to many events: to exactly those that were shown."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from flyte_sidecar.cli.answering.asking import can_ask
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.answering.writes import result_of
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.bulk.action import Action
from flyte_sidecar.cli.bulk.arguments import Choice
from flyte_sidecar.cli.bulk.choosing import Chosen, chosen_events
from flyte_sidecar.cli.bulk.reporting import Report, preview
from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.cli.quantities import quantity
from flyte_sidecar.errors import RequestCancelled
from flyte_sidecar.events.bulk import BulkWrite, EventResult
from flyte_sidecar.events.model import Event, Target
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options

MAX_EVENTS = 1000
"""Events whose results are kept in memory at once."""


def run_on_all(options: Options, choice: Choice, action: Action, *, as_json: bool) -> int:
    """Change the events, print a result for each, and return the exit status.

    It is 1 if one failed, or if a backend could not be read.

    Raises
    ------
    UsageError
        If a confirmation is needed, and there is no terminal to ask for it.
    SidecarError
        If the events cannot be listed, or the change is not confirmed.
    OSError
        If stdout cannot be written.
    """
    if not (choice.yes or choice.dry_run or can_ask()):
        raise UsageError("--yes (or --dry-run) is required without a terminal")

    async def work(service: EventService) -> int:
        keep_texts = choice.dry_run and as_json
        chosen = await chosen_events(service, choice, action, keep_texts=keep_texts)
        if choice.dry_run:
            _list(chosen, action, as_json=as_json)
        elif chosen.events:
            await _confirm(choice, chosen, action)
            if await _change_all(service, chosen.events, action, as_json=as_json):
                return 1
        else:
            print(f"flyte-sidecar: no events to {action.verb}", file=sys.stderr)
            _print_note(chosen)
        return 0 if chosen.is_complete else 1

    return run_on_events(options, work)


def _list(chosen: Chosen, action: Action, *, as_json: bool) -> None:
    if as_json:
        print_json(*chosen.events)
    else:
        print_lines(EventTable(several_projects=True).lines(chosen.events))
    what = quantity(len(chosen.events), "event")
    print(f"flyte-sidecar: would {action.verb} {what}; nothing was changed", file=sys.stderr)
    _print_note(chosen)


async def _confirm(choice: Choice, chosen: Chosen, action: Action) -> None:
    if choice.yes:
        print("\n".join(preview(chosen.events)), file=sys.stderr)
        _print_note(chosen)
    else:
        from flyte_sidecar.cli.bulk.confirming import confirm

        await confirm(action, chosen)


def _print_note(chosen: Chosen) -> None:
    if chosen.note:
        print(f"flyte-sidecar: {chosen.note}", file=sys.stderr)


async def _change_all(
    service: EventService, events: Sequence[Event], action: Action, *, as_json: bool
) -> bool:
    """Return whether one failed."""
    report = Report(action, events, as_json=as_json)
    try:
        for start in range(0, len(events), MAX_EVENTS):
            await _change(service, events[start : start + MAX_EVENTS], action, report)
    finally:
        report.print_summary()
    return report.has_failures


async def _change(
    service: EventService, events: Sequence[Event], action: Action, report: Report
) -> None:
    unreported = {event.target: event for event in events}
    unwritable: list[OSError] = []

    def add(changed: Target, result: EventResult) -> None:
        try:
            report.add(unreported.pop(changed), result)
        except OSError as error:  # nobody reads what happens: do no more
            unwritable.append(error)
            changing.cancel()

    bulk = BulkWrite(service, [*unreported], add)
    changing = asyncio.ensure_future(action.perform(bulk))
    try:
        await result_of(changing)
    except (asyncio.CancelledError, KeyboardInterrupt):  # a second Ctrl-C may interrupt this task
        if unwritable:
            raise unwritable[0] from None
        results = bulk.interrupt(RequestCancelled("interrupted by Ctrl-C")).results
        for event, result in zip(events, results, strict=True):
            sent = result.error is not None and result.error.data.get("outcome") == "unknown"
            if sent and unreported.pop(event.target, None):
                report.add(event, result)
        raise
