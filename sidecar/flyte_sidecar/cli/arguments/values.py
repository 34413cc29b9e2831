"""The values of arguments, and the error about those that cannot be used."""

from __future__ import annotations

import argparse
import os
import re

from flyte_sidecar.server.settings import expand_user

# Not compiled here: most commands have no duration.
_DURATION = r"(?a:(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?)"

MAX_DURATION = 100 * 365 * 86400.0
"""Seconds; a hundred years."""


class UsageError(Exception):
    """Arguments that cannot be used. The message says what is wrong and what is expected.

    It is printed with the usage of the verb, and the exit status is 2.
    """


def scope_error(message: str, path: object) -> UsageError | None:
    """Return the error of a request as one about an option; None if none selects what is wrong.

    Parameters
    ----------
    path
        The JSON pointer to the param that is wrong.
    """
    for param in ("org", "project", "domain"):
        if path == f"/{param}":
            return UsageError(message.replace(f"`{param}`", f"--{param}"))
    return None


def text(argument: str) -> str:
    """Return an argument decoded as UTF-8, whatever encoding the locale has."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"{argument!r} is not UTF-8") from None


def path(argument: str) -> str:
    """Return a path with `~` expanded."""
    try:
        return expand_user(argument)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(argument: str) -> int:
    """Return a positive integer."""
    if not (argument.isascii() and argument.isdecimal()) or int(argument) < 1:
        raise argparse.ArgumentTypeError(f"{argument!r} is not a positive integer")
    return int(argument)


def duration(argument: str) -> float:
    """Return a duration in seconds: `90s`, `10m`, `1h30m`, `2d`."""
    parts = re.fullmatch(_DURATION, argument)
    if parts is None or not argument:
        raise argparse.ArgumentTypeError(
            f"{argument!r} is not a duration, such as 90s, 10m, 1h30m or 2d"
        )
    units = zip(parts.groups(), (86400, 3600, 60, 1), strict=True)
    seconds = sum(float(number) * unit for number, unit in units if number is not None)
    if not 0 < seconds <= MAX_DURATION:
        raise argparse.ArgumentTypeError(
            f"{argument!r} is not a duration of more than 0s, and 100 years at most"
        )
    return seconds


def add_json(parser: argparse.ArgumentParser, content: str) -> None:
    """Add the option `--json`, whose help says what is printed."""
    parser.add_argument(
        "--json", dest="as_json", action="store_true", help=f"print JSON: one {content}"
    )
