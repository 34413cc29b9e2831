"""An asyncio client of a sidecar process.

Params and results are plain JSON values, with the names of the wire contract.

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
from flyte_sidecar.rpc.framing import Malformed
from flyte_sidecar.rpc.header_framing import HeaderDecoder

READ_SIZE = 1 << 16
"""Bytes to read at once."""

MAX_RECEIVED_BYTES = 256 << 20
"""The largest message to accept, far above the largest one that a sidecar sends."""

CLOSE_TIMEOUT = 15.0
"""Seconds in which a sidecar must exit after its stdin is closed; then it is killed."""

_ERRORS = {error.kind: error for error in ERRORS}
_OPEN_ENDED = frozenset(method.name for method in METHODS if method.open_ended)

# Ctrl-C in a terminal must reach only this process, which closes the sidecar when it is done.
_OWN_PROCESS_GROUP: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _OWN_PROCESS_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


class SidecarDisconnected(Exception):
    """The sidecar process ended, or sent invalid output, before it responded."""


class Client:
    """A client of one sidecar process. Requests can be concurrent.

    Attributes
    ----------
    process
        The sidecar process.
    on_notification
        Called with the method and the params of every notification.
    on_message
        Called with every message, and whether it was sent or received; useful for logging.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.on_notification: Callable[[str, Any], None] = lambda method, params: None
        self.on_message: Callable[[bytes, bool], None] = lambda message, sent: None
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._open_ended: set[int] = set()
        self._reader = asyncio.ensure_future(self._read())

    @classmethod
    @asynccontextmanager
    async def spawn(
        cls,
        *arguments: str,
        command: Sequence[str] = (sys.executable, "-P", "-m", "flyte_sidecar"),
        **options: Any,
    ) -> AsyncIterator[Client]:
        """Start a sidecar in its own process group, and close it at the end of the block.

        The command imports no modules from the current folder, which may not be trusted. `options`
        are passed to `asyncio.create_subprocess_exec`.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            **_OWN_PROCESS_GROUP | options,
        )
        client = cls(process)
        try:
            yield client
        finally:
            await client.close()

    async def request(self, method: str, **params: Any) -> Any:
        """Send a request and return its result. Cancelling the caller cancels the request.

        Raises
        ------
        SidecarError
            If the response is an error: one of `flyte_sidecar.errors`.
        SidecarDisconnected
            If the process ends before it responds.
        """
        if self._reader.done():
            raise SidecarDisconnected("the sidecar has ended")
        request_id = next(self._ids)
        response = self._pending[request_id] = asyncio.get_running_loop().create_future()
        if method in _OPEN_ENDED:
            self._open_ended.add(request_id)
        self.notify(method, _id=request_id, **params)
        try:
            return await response
        except asyncio.CancelledError:
            if not response.done() or response.cancelled():
                self.notify("$/cancelRequest", id=request_id)
            raise
        finally:
            self._pending.pop(request_id, None)
            self._open_ended.discard(request_id)

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
        """Send a message without checking it."""
        self.on_message(message, True)
        stdin = self.process.stdin
        assert stdin is not None
        stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(message), message))

    async def close(self) -> int:
        """Cancel open waits and watches, close stdin, and return the exit status.

        A sidecar that does not exit within `CLOSE_TIMEOUT` is killed.
        """
        stdin = self.process.stdin
        assert stdin is not None
        for request_id in self._open_ended:
            self.notify("$/cancelRequest", id=request_id)
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
        decoder = HeaderDecoder(MAX_RECEIVED_BYTES)
        try:
            while data := await stdout.read(READ_SIZE):
                decoder.feed(data)
                while (message := decoder.next()) is not None:
                    if isinstance(message, Malformed):
                        raise SidecarDisconnected(message.error.message)
                    self._receive(message)
        finally:
            for response in self._pending.values():
                try_set_exception(
                    response, SidecarDisconnected("the sidecar ended before it responded")
                )

    def _receive(self, text: bytes) -> None:
        self.on_message(text, False)
        message = json.decode(text)
        if "method" in message:
            self.on_notification(message["method"], message.get("params"))
            return
        response = self._pending.get(message["id"])
        if response is None:
            return
        if "error" in message:
            try_set_exception(response, _error(message["error"]))
        else:
            try_set_result(response, message["result"])


def _error(fields: dict[str, Any]) -> SidecarError:
    """Return the exception for a JSON-RPC error; a plain `SidecarError` if its kind is unknown."""
    data = {**(fields.get("data") or {})}
    kind, retryable = data.pop("kind", ""), data.pop("retryable", False)
    error = _ERRORS.get(kind, SidecarError)(fields["message"], **data)
    error.kind, error.code, error.retryable = kind, fields["code"], retryable
    return error
