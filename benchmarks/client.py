"""A client with less overhead than the servers that it measures.

Requests are encoded before the measurement starts, and responses are checked after it ends. Bytes
are read in blocks as large as a pipe's buffer.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, ClassVar

import msgspec
import psutil

ROOT = Path(__file__).resolve().parent.parent
"""Working directory of the servers."""

BLOCK = 1 << 16
"""Bytes read at once: the default capacity of a pipe on Linux."""

SETTLE = 0.5
"""Seconds after which a server without requests is idle."""

CLOSE_TIMEOUT = 15.0
"""Seconds after closing stdin until a server that has not ended is killed."""


class Framing(ABC):
    """The framing of one stream of messages."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._rest = b""

    @staticmethod
    @abstractmethod
    def wrap(body: bytes) -> bytes:
        """Return the body in its frame."""

    @abstractmethod
    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies that these bytes complete."""


class Line(Framing):
    """One JSON text per line."""

    name = "newline"

    @staticmethod
    def wrap(body: bytes) -> bytes:
        return body + b"\n"

    def feed(self, data: bytes) -> list[bytes]:
        *bodies, self._rest = (self._rest + data).split(b"\n")
        return bodies


class Header(Framing):
    """A `Content-Length` header before each JSON text, as in LSP."""

    name = "Content-Length"

    _length = re.compile(rb"Content-Length: (\d+)")

    @staticmethod
    def wrap(body: bytes) -> bytes:
        return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    def feed(self, data: bytes) -> list[bytes]:
        data = self._rest + data
        bodies = []
        start = 0
        while (blank := data.find(b"\r\n\r\n", start)) >= 0:
            length = self._length.search(data, start, blank)
            if length is None:
                raise ServerError(f"a header without a length: {data[start:blank]!r}")
            body = blank + 4
            end = body + int(length[1])
            if end > len(data):
                break
            bodies.append(data[body:end])
            start = end
        self._rest = data[start:]
        return bodies


class ServerError(Exception):
    """A server ended early, or sent an unexpected response."""


class Response(msgspec.Struct):
    """A JSON-RPC response, with its result not decoded."""

    id: int | None
    result: msgspec.Raw = msgspec.Raw()
    error: Any = None


def encode(method: str, many_params: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Encode one request for each of the params, with the ids 0, 1, 2, ..."""
    return [
        msgspec.json.encode({"jsonrpc": "2.0", "id": place, "method": method, "params": params})
        for place, params in enumerate(many_params)
    ]


def results(responses: Sequence[bytes]) -> list[msgspec.Raw]:
    """Return the results in the order of the ids; each request must have exactly one."""
    by_id = {response.id: response.result for response in map(_decode, responses)}
    if by_id.keys() != set(range(len(responses))):
        raise ServerError(f"{len(responses)} responses do not have the ids from 0 on, once each")
    return [by_id[place] for place in range(len(responses))]


class Server:
    """A server process, and the only client of its stdin and stdout.

    Parameters
    ----------
    command
        The program and its arguments.
    framing
        The framing of its stdin and stdout.
    """

    def __init__(self, command: Sequence[str], framing: type[Framing]) -> None:
        self._process = subprocess.Popen(
            command, bufsize=0, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._usage = psutil.Process(self._process.pid)
        self._framing = framing()
        self._bodies: deque[bytes] = deque()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()

    @property
    def rss(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        return float(self._usage.memory_info().rss) / 1e6

    def load_at_rest(self, seconds: float) -> float:
        """Return the CPU time that an idle server uses, in % of a core."""
        time.sleep(SETTLE)
        used, start = self._cpu_seconds(), time.perf_counter()
        time.sleep(seconds)
        return (self._cpu_seconds() - used) / (time.perf_counter() - start) * 100

    def _cpu_seconds(self) -> float:
        times = self._usage.cpu_times()
        return float(times.user + times.system)

    def send(self, body: bytes) -> None:
        """Write one request."""
        self._write(self._framing.wrap(body))

    def receive(self) -> bytes:
        """Return the next response."""
        while not self._bodies:
            self._bodies.extend(self._read())
        return self._bodies.popleft()

    def request(self, method: str, **params: Any) -> Any:
        """Send one request and return the decoded result."""
        [body] = encode(method, [params])
        self.send(body)
        return msgspec.json.decode(_decode(self.receive()).result)

    def one_at_a_time(self, requests: Sequence[bytes]) -> tuple[list[float], list[bytes]]:
        """Send each request after the response to the previous one.

        Returns
        -------
        The round-trip times in seconds, and the responses.
        """
        times, responses = [], []
        for request in map(self._framing.wrap, requests):
            start = time.perf_counter()
            self._write(request)
            response = self.receive()
            times.append(time.perf_counter() - start)
            responses.append(response)
        return times, responses

    def pipelined(self, requests: Sequence[bytes]) -> tuple[float, list[bytes]]:
        """Send all requests without waiting for responses.

        Returns
        -------
        The seconds from the first request written to the last response read, and the responses.
        """
        wire = b"".join(map(self._framing.wrap, requests))
        writer = Thread(target=self._write_until_closed, args=(wire,), daemon=True)
        responses: list[bytes] = []
        start = time.perf_counter()
        writer.start()
        while len(responses) < len(requests):
            responses += self._read()
        seconds = time.perf_counter() - start
        writer.join()
        return seconds, responses

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._stdin.fileno(), view) :]

    def _write_until_closed(self, data: bytes) -> None:
        # If the server has ended, the reader reports it.
        with suppress(OSError):
            self._write(data)

    def _read(self) -> list[bytes]:
        data = os.read(self._stdout.fileno(), BLOCK)
        if not data:
            raise ServerError(f"{self._process.args!r} ended, status {self._process.wait()}")
        return self._framing.feed(data)


_decoder = msgspec.json.Decoder(Response)


def _decode(body: bytes) -> Response:
    response = _decoder.decode(body)
    if response.error is not None:
        raise ServerError(f"responded with an error: {response.error}")
    return response
