"""`flyte-sidecar create`: create an event in the embedded store."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import get_args

from msgspec import ValidationError, convert

from flyte_sidecar.cli.answering.results import add_json_event
from flyte_sidecar.cli.answering.running import run_on_events
from flyte_sidecar.cli.arguments.values import duration, text
from flyte_sidecar.cli.output import print_json, print_value
from flyte_sidecar.errors import EventExists
from flyte_sidecar.events.model import (
    DEFAULT_EXPECTED_TYPE,
    DEFAULT_PARENT,
    DEFAULT_PROMPT,
    Event,
    ExpectedType,
    NewEvent,
    Target,
)
from flyte_sidecar.events.outcome_text import short_outcome, title
from flyte_sidecar.events.payload_text import FORMS
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol.params import Name
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and options."""
    parser.add_argument("run_name", metavar="RUN", type=_new_name, help="name of the run")
    parser.add_argument(
        "name",
        metavar="NAME",
        type=_new_name,
        help="name of the event, which must be unique under its parent",
    )
    parser.add_argument(
        "--type",
        dest="expected_type",
        choices=get_args(ExpectedType),
        default=DEFAULT_EXPECTED_TYPE,
        help=f"type of the answer (default: {DEFAULT_EXPECTED_TYPE})",
    )
    parser.add_argument(
        "--prompt",
        metavar="TEXT",
        type=text,
        default=DEFAULT_PROMPT,
        help=f"the question (default: {DEFAULT_PROMPT})",
    )
    parser.add_argument("--markdown", action="store_true", help="the prompt is markdown")
    parser.add_argument(
        "--description", metavar="TEXT", type=text, help="further text (default: none)"
    )
    parser.add_argument(
        "--expires",
        metavar="DURATION",
        type=duration,
        help="time until the event times out, such as 90s, 10m or 2d (default: never)",
    )
    parser.add_argument(
        "--parent",
        metavar="ID",
        type=_new_name,
        default=DEFAULT_PARENT,
        help=f"the parent action (default: {DEFAULT_PARENT}, the root of the run)",
    )
    parser.add_argument(
        "--group", metavar="NAME", type=_new_name, help="the action group (default: none)"
    )
    add_json_event(parser)


def run(
    options: Options,
    run_name: str,
    name: str,
    expected_type: ExpectedType,
    prompt: str,
    markdown: bool,
    description: str | None,
    expires: float | None,
    parent: str,
    group: str | None,
    as_json: bool,
) -> int:
    """Create an event, print its id, and return the exit status.

    Raises
    ------
    SidecarError
        If the event is not created.
    """

    async def work(service: EventService) -> int:
        new = NewEvent(
            run=service.run(run_name),
            name=name,
            parent=parent,
            group=group,
            expected_type=expected_type,
            prompt=prompt,
            prompt_type="markdown" if markdown else "text",
            description=description,
            expires_in=expires,
        )
        write = service.write(Target(new.run, name=name, parent=parent))
        try:
            event = await service.create(write, new)
        except EventExists as error:
            raise _exists(error.data["event"]) from None
        print(f"{title(event)} waits for {FORMS[expected_type]}.", file=sys.stderr)
        if as_json:
            print_json(event)
        elif not sys.stdout.isatty():
            print_value(event.action_name)
        return 0

    return run_on_events(options, work)


def _exists(event: Event) -> EventExists:
    """Return the error that says which state the event of this name has."""
    state = "waits for an answer" if event.pending else short_outcome(event)
    message = f"{title(event)} already exists ({state}): choose another name or run"
    return EventExists(message, event=event)


def _new_name(argument: str) -> str:
    try:
        return convert(text(argument), Name)
    except ValidationError:
        message = "a name has 1 to 1000 characters, none of them a control character"
        raise ArgumentTypeError(message) from None
