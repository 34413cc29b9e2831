"""Running a program that notifies."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from flyte_sidecar._futures import wait_all
from flyte_sidecar._process_groups import kill_group
from flyte_sidecar.cli.notify.notice import DeliveryFailed
from flyte_sidecar.cli.notify.webhook_signature import SECRET_VARIABLE
from flyte_sidecar.cli.standard_streams import STDERR
from flyte_sidecar.events.plain_text import one_line

EXIT_TIMEOUT = 1.0
"""Seconds to wait for a killed program to end."""

MAX_ERROR_LENGTH = 200
"""Characters of a message of a program that are shown."""


class Done(Struct, frozen=True):
    """How a program ended.

    Attributes
    ----------
    status
        The exit status; negative for the number of a signal.
    output, errors
        What it printed, if that was captured.
    """

    status: int
    output: bytes
    errors: bytes

    @property
    def reason(self) -> str:
        """The last line that it printed to stderr, or its status."""
        lines = self.errors.decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        how = f"exit status {self.status}" if self.status > 0 else f"signal {-self.status}"
        return one_line(last, MAX_ERROR_LENGTH) or how


async def run_program(
    command: Sequence[str],
    content: bytes | None = None,
    variables: Mapping[str, str] | None = None,
) -> Done:
    """Run a program without a shell, and return how it ended.

    If the caller is cancelled, it is killed together with its children.

    Parameters
    ----------
    content
        What the program can read from stdin; its output then goes to stderr. By default, it cannot
        read anything, and its output is captured.
    variables
        Environment variables of the program, besides those of this process.

    Raises
    ------
    DeliveryFailed
        If it cannot be started.
    """
    environment = {**os.environ, **(variables or {})}
    environment.pop(SECRET_VARIABLE, None)
    streams: dict[str, Any] = {"stdin": PIPE, "stdout": STDERR, "stderr": STDERR}
    if content is None:
        streams = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE}
    starting = asyncio.ensure_future(
        # In a session of its own it does not receive Ctrl-C, and its children can be killed.
        asyncio.create_subprocess_exec(*command, env=environment, start_new_session=True, **streams)
    )
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await wait_all([starting])
        if starting.exception() is None:
            await _kill(starting.result())
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "invalid argument"
        message = f"{one_line(command[0])} cannot be started: {reason}"
        raise DeliveryFailed(message, affects_all=True) from None
    try:
        output, errors = await process.communicate(content)
    except BaseException:
        await _kill(process)
        raise
    assert process.returncode is not None
    return Done(process.returncode, output or b"", errors or b"")


async def _kill(process: Process) -> None:
    """Kill a program with its children, and wait for its end."""
    if process.returncode is None:
        kill_group(process.pid)
    await wait_all([asyncio.ensure_future(process.wait())], EXIT_TIMEOUT)
