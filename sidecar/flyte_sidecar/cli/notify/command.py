"""Notifications by a command of the user."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Sequence

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.child_process import run_program
from flyte_sidecar.cli.notify.notice import DeliveryFailed, Notice
from flyte_sidecar.events.delivery_leases import EventName
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.protocol.results import encode

CONCURRENCY = 4
"""Number of commands that run at once."""

MAX_VARIABLE_LENGTH = 4096
"""Characters of a text in an environment variable. The whole text is in the JSON."""

PREFIX = "FLYTE_SIDECAR_EVENT_"


class CommandChannel:
    """A `Channel` that runs a command for each event.

    The command is split into arguments as a POSIX shell would, on every platform, and runs without
    a shell. Nothing of the event is in its arguments.

    Raises
    ------
    UsageError
        If the command is empty, or has an unmatched quote.
    """

    name = "command"
    batch = 1
    concurrency = CONCURRENCY
    pause = 0.0

    def __init__(self, command: str) -> None:
        try:
            self._command = split(command)
        except ValueError as error:
            raise UsageError(f"--exec: invalid command: {error}") from None
        if not self._command:
            raise UsageError("--exec: the command is empty")
        self.lease_name = f"command {hashlib.sha256(command.encode()).hexdigest()}"

    async def deliver(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            content = terminal.sanitize_json(encode(notice.event)) + b"\n"
            done = await run_program(self._command, content, variables_of(notice))
            if done.status:
                raise DeliveryFailed(done.reason)

    async def withdraw(self, names: Sequence[EventName]) -> None:
        """Do nothing: the command may wait for the event if it needs to know."""

    async def close(self) -> None:
        """Do nothing: commands end with their deliveries."""


def split(command: str, platform: str = sys.platform) -> list[str]:
    """Return the words of a command. On Windows, where paths contain it, a backslash is no escape.

    Raises
    ------
    ValueError
        If a quote is unmatched.
    """
    lexer = shlex.shlex(command, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    if platform == "win32":
        lexer.escape = ""
    return list(lexer)


def variables_of(notice: Notice) -> dict[str, str]:
    """Return the environment variables that describe an event.

    Texts are on one line and without control characters, so that a command may print them.
    """
    event = notice.event
    values = {
        "REASON": notice.reason,
        "ID": notice.id,
        "NAME": event.name,
        "RUN_NAME": event.run_name,
        "ACTION_NAME": event.action_name,
        "ORG": event.org,
        "PROJECT": event.project,
        "DOMAIN": event.domain,
        "EXPECTED_TYPE": event.expected_type,
        "PROMPT": event.prompt,
        "DESCRIPTION": event.description,
        "URL": event.url,
    }
    return {
        f"{PREFIX}{name}": sanitize((value or "")[:MAX_VARIABLE_LENGTH])
        for name, value in values.items()
    }
