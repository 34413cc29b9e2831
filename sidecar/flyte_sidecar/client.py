"""Driving a sidecar process from asyncio.

Parameters and results are plain JSON values, in the wire's names.

Examples
--------
    async with Client.spawn("--store", "events.db") as client:
        event = await client.request("events.get", runName="r1", name="deploy")
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from msgspec import json

from flyte_sidecar._futures import try_set_exception, try_set_result
from flyte_sidecar.errors import ERRORS, SidecarError
from flyte_sidecar.protocol.methods import METHODS
from flyte_sidecar.rpc.header_framing import HeaderDecoder
from flyte_sidecar.rpc.malformed import Malformed

CHUNK = 1 << 16
MAX_MESSAGE_BYTES = 256 << 20
"""The largest message that is read. Of what sidecars write, none is nearly so large."""
CLOSE_TIMEOUT = 15.0
"""Seconds that a sidecar may take to end after its stdin was closed; then it is killed."""

_ERRORS = {error.kind: error for error in ERRORS}
_OPEN_ENDED = frozenset(method.name for method in METHODS if method.open_ended)

# A terminal's Ctrl-C is for this process, which ends the sidecar when it is done with it.
_OWN_GROUP: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


class Disconnected(Exception):
    """The sidecar process ended, or sent invalid output, before it answered."""


class Client:
    """One sidecar process. Its requests may be made concurrently.

    Attributes
    ----------
    process
        The process itself.
    on_notification
        Called with the method and the params of each notification.
    on_message
        Called with each message as sent or received, and whether it was sent: for a log.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.on_notification: Callable[[str, Any], None] = lambda method, params: None
        self.on_message: Callable[[bytes, bool], None] = lambda message, sent: None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._open_ended: set[int] = set()
        self._reader = asyncio.ensure_future(self._read())

    @classmethod
    @asynccontextmanager
    async def spawn(
        cls,
        *arguments: str,
        command: Sequence[str] = (sys.executable, "-P", "-m", "flyte_sidecar"),
        **how: Any,
    ) -> AsyncIterator[Client]:
        """Start a sidecar in a session of its own, and end it with the block.

        The command does not look for modules in the current folder, which may be anyone's. `how`
        goes to `asyncio.create_subprocess_exec`.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            **_OWN_GROUP | how,
        )
        client = cls(process)
        try:
            yield client
        finally:
            await client.close()

    async def request(self, method: str, **params: Any) -> Any:
        """Send a request and return its result; cancelling this cancels the request.

        Raises
        ------
        SidecarError
            If the sidecar answers with an error: one of `flyte_sidecar.errors`.
        Disconnected
            If the process ends before it answers.
        """
        if self._reader.done():
            raise Disconnected("the sidecar has ended")
        identity = next(self._ids)
        answer = self._waiting[identity] = asyncio.get_running_loop().create_future()
        if method in _OPEN_ENDED:
            self._open_ended.add(identity)
        self.notify(method, _id=identity, **params)
        try:
            return await answer
        except asyncio.CancelledError:
            if not answer.done() or answer.cancelled():
                self.notify("$/cancelRequest", id=identity)
            raise
        finally:
            self._waiting.pop(identity, None)
            self._open_ended.discard(identity)

    def notify(self, method: str, *, _id: int | None = None, **params: Any) -> None:
        """Send a notification."""
        message: dict[str, Any] = {"jsonrpc": "2.0"}
        if _id is not None:
            message["id"] = _id
        message["method"] = method
        if params:
            message["params"] = params
        self.send(json.encode(message))

    def send(self, message: bytes) -> None:
        """Send a message as it is."""
        self.on_message(message, True)
        stdin = self.process.stdin
        assert stdin is not None
        stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(message), message))

    async def close(self) -> int:
        """End the sidecar by the end of its input, and return its exit status.

        Open waits and watches are cancelled first.
        """
        stdin = self.process.stdin
        assert stdin is not None
        for identity in self._open_ended:
            self.notify("$/cancelRequest", id=identity)
        stdin.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                with suppress(BrokenPipeError, ConnectionResetError):
                    await stdin.wait_closed()
                await self.process.wait()
        except TimeoutError:
            pass
        finally:
            if self.process.returncode is None:
                self.process.kill()
        await self.process.wait()
        await self._reader
        assert self.process.returncode is not None
        return self.process.returncode

    async def _read(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        decoder = HeaderDecoder(MAX_MESSAGE_BYTES)
        try:
            while data := await stdout.read(CHUNK):
                decoder.feed(data)
                while (message := decoder.next()) is not None:
                    if isinstance(message, Malformed):
                        raise Disconnected(message.error.message)
                    self._take(message)
        finally:
            for answer in self._waiting.values():
                try_set_exception(answer, Disconnected("the sidecar ended before it answered"))

    def _take(self, text: bytes) -> None:
        self.on_message(text, False)
        message = json.decode(text)
        if "method" in message:
            self.on_notification(message["method"], message.get("params"))
            return
        answer = self._waiting.get(message["id"])
        if answer is None:
            return
        if "error" in message:
            try_set_exception(answer, _error(message["error"]))
        else:
            try_set_result(answer, message["result"])


def _error(response: dict[str, Any]) -> SidecarError:
    """Return the exception for a JSON-RPC error; a plain `SidecarError` if its kind is unknown."""
    data = {**(response.get("data") or {})}
    kind, retryable = data.pop("kind", ""), data.pop("retryable", False)
    error = _ERRORS.get(kind, SidecarError)(response["message"], **data)
    error.kind, error.code, error.retryable = kind, response["code"], retryable
    return error
