"""Commands that print tokens or headers."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence

from flyte_sidecar._futures import try_set_result, wait_all
from flyte_sidecar._process_groups import kill_group
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

COMMAND_TIMEOUT = 60.0
"""Time for a command to finish, in seconds."""

OUTPUT_DELAY = 1.0
"""Time to read the rest of the output after the end of a command, in seconds."""

EXIT_TIMEOUT = 1.0
"""Time to wait for a killed command to end, in seconds."""

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
        transport, output = await _start(command.reveal())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "invalid argument"
        raise _failed(setting, f"cannot be started: {reason}") from None
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT):
            await output.complete
    except TimeoutError:
        message = f"the command in {setting} did not finish within {COMMAND_TIMEOUT:g} s"
        raise RpcError("UNAVAILABLE", message) from None
    finally:
        status = transport.get_returncode()
        if status is None:
            kill_group(transport.get_pid())
        transport.close()
        await wait_all([output.exited], EXIT_TIMEOUT)
    if len(output.data) > MAX_OUTPUT_BYTES:
        raise _failed(setting, f"printed more than {MAX_OUTPUT_BYTES} bytes")
    if status:
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        raise _failed(setting, f"failed ({how}): run it in a terminal to see why")
    try:
        return output.data.decode().strip()
    except UnicodeDecodeError:
        raise _failed(setting, "printed bytes that are no text") from None


async def _start(command: Sequence[str]) -> tuple[asyncio.SubprocessTransport, _Output]:
    starting = asyncio.ensure_future(
        # In a session of its own it does not receive Ctrl-C, and its children can be killed.
        asyncio.get_running_loop().subprocess_exec(
            _Output, *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # It may have children by now, which asyncio would not kill.
        starting.add_done_callback(_kill_started)
        raise


def _kill_started(starting: asyncio.Future[tuple[asyncio.SubprocessTransport, _Output]]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        transport, _ = starting.result()
        kill_group(transport.get_pid())
        transport.close()


class _Output(asyncio.SubprocessProtocol):
    """Collects the output of a command.

    Attributes
    ----------
    complete
        Done when the command has ended and its output was read, or is too long.
    exited
        Done when the command has ended.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.data = bytearray()
        self.complete: asyncio.Future[None] = self._loop.create_future()
        self.exited: asyncio.Future[None] = self._loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.data += data
        if len(self.data) > MAX_OUTPUT_BYTES:
            try_set_result(self.complete, None)

    def process_exited(self) -> None:
        try_set_result(self.exited, None)
        # A process that it has left behind may keep the output open.
        self._loop.call_later(OUTPUT_DELAY, try_set_result, self.complete, None)

    def connection_lost(self, exc: Exception | None) -> None:
        try_set_result(self.complete, None)


def _failed(setting: str, reason: str) -> RpcError:
    return RpcError("UNAUTHENTICATED", f"the command in {setting} {reason}")
