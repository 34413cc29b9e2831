"""Commands that print tokens or headers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress

from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

COMMAND_TIMEOUT = 60.0
"""Time for a command to finish, in seconds."""

MAX_OUTPUT_BYTES = 64 << 10
"""Maximum size of a command's output, in bytes."""


async def run_command(command: Secret[tuple[str, ...]], setting: str) -> str:
    """Return the stripped output of a command, which `setting` names in errors.

    It runs without a shell and without input. Its messages to stderr are discarded, since they may
    contain secrets. If the caller is cancelled, it is killed together with its children.

    Raises
    ------
    RpcError
        `UNAVAILABLE` if it does not finish in time, `UNAUTHENTICATED` if it fails.
    """
    try:
        # In a session of its own it does not receive Ctrl-C, and its children can be killed.
        process = await asyncio.create_subprocess_exec(
            *command.reveal(), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "invalid argument"
        raise _failed(setting, f"cannot be started: {reason}") from None
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT):
            output = await _read(process, setting)
            status = await process.wait()
    except TimeoutError:
        message = f"the command in {setting} did not finish within {COMMAND_TIMEOUT:g} s"
        raise RpcError("UNAVAILABLE", message) from None
    finally:
        if process.returncode is None:
            _kill(process)
            await process.wait()
    if status != 0:
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        raise _failed(setting, f"failed ({how}): run it in a terminal to see why")
    try:
        return output.decode().strip()
    except UnicodeDecodeError:
        raise _failed(setting, "printed bytes that are no text") from None


async def _read(process: Process, setting: str) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    while chunk := await process.stdout.read(MAX_OUTPUT_BYTES):
        output += chunk
        if len(output) > MAX_OUTPUT_BYTES:
            raise _failed(setting, f"printed more than {MAX_OUTPUT_BYTES} bytes")
    return bytes(output)


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            from psutil import NoSuchProcess
            from psutil import Process as RunningProcess

            with suppress(NoSuchProcess):
                for child in RunningProcess(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _failed(setting: str, reason: str) -> RpcError:
    return RpcError("UNAUTHENTICATED", f"the command in {setting} {reason}")
