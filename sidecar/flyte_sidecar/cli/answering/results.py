"""Prints the event and its outcome.

stdout gets the result: the value if it is read by a program, or the event with `--json`. The
outcome as a sentence goes to stderr.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser

from msgspec import json

from flyte_sidecar.cli.arguments.values import add_json
from flyte_sidecar.cli.output import print_json, print_value
from flyte_sidecar.events.model import Event, Payload
from flyte_sidecar.events.outcome_text import outcome
from flyte_sidecar.events.payloads import for_json


def add_json_event(parser: ArgumentParser, more: str = "") -> None:
    """Add the option `--json` of a verb about one event; `more` is more of its help."""
    add_json(parser, f"event{more}")


def print_outcome(event: Event, *, as_json: bool, earlier: bool = False) -> None:
    """Print the outcome of an event, and its value if stdout is not a terminal.

    Parameters
    ----------
    as_json
        Print the event as JSON instead of its value.
    earlier
        Whether the event had ended before.
    """
    print(outcome(event, earlier=earlier), file=sys.stderr)
    if as_json:
        print_json(event)
    elif event.payload is not None and not sys.stdout.isatty():
        print_value(value_text(event.payload))


def value_text(payload: Payload) -> str:
    """Return a value as programs read it: a str itself, anything else as in JSON."""
    shown = for_json(payload)  # large ints and non-finite floats are strings in JSON
    return shown if isinstance(shown, str) else json.encode(shown).decode()
