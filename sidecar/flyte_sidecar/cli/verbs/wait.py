"""`flyte-sidecar wait`: wait for the answer to an event."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli.answering.event_name import (
    EventName,
    add_event,
    event_name,
    find,
    only,
)
from flyte_sidecar.cli.answering.results import add_json_event, print_outcome
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.arguments.values import duration
from flyte_sidecar.errors import AmbiguousEvent, DeadlineExceeded
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options

TIMED_OUT_STATUS = 124
"""The exit status after `--timeout`, as that of the command `timeout`."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    add_event(parser)
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration,
        help="wait at most this long, such as 90s, 10m or 1h30m; then the exit status is"
        f" {TIMED_OUT_STATUS} (default: no limit)",
    )
    parser.add_argument(
        "--await-creation",
        action="store_true",
        help="if the event does not exist yet, wait for it too",
    )
    add_json_event(parser)


def run(
    options: Options,
    run_name: str,
    name: str | None,
    action: str | None,
    timeout: float | None,
    await_creation: bool,
    as_json: bool,
) -> int:
    """Wait for an answer, print it, and return the exit status: 0 if there is one.

    Raises
    ------
    UsageError
        If the arguments name no event.
    SidecarError
        If the event cannot be waited for.
    """
    named = event_name(run_name, name, action)

    async def work(service: EventService) -> int:
        try:
            async with asyncio.timeout(timeout):
                event = await _wait(service, named, await_creation)
        except TimeoutError:
            error = DeadlineExceeded(f"{named} was not answered within the timeout")
            print(f"{error.kind}: {error.message}", file=sys.stderr)
            return TIMED_OUT_STATUS
        print_outcome(event, as_json=as_json)
        return 0 if event.payload is not None else 1

    return run_on_events(options, work)


async def _wait(service: EventService, named: EventName, await_creation: bool) -> Event:
    if not await_creation:
        event = await find(service, named)
        return await resolve(service.wait(event.target)) if event.pending else event
    try:
        return await resolve(service.wait(named.target(service), await_creation=True))
    except AmbiguousEvent as error:
        return only(named, error.data["candidates"])
