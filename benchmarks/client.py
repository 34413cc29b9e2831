"""A client that costs less than what it measures.

Requests are encoded before the clock starts, bytes are read in blocks as large as a pipe, and
replies are checked after the clock has stopped.
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
"""Where servers are started: the folder that holds the `sidecar` package."""

BLOCK = 1 << 16
"""Bytes asked of a pipe at once: what it holds by default on Linux."""

SETTLE = 0.5
"""Seconds after which a server that was not asked anything is at rest."""

PATIENCE = 15.0
"""Seconds that a server has to end once its input is closed."""


class Framing(ABC):
    """How messages are told apart in a stream of bytes; one object reads one stream."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._rest = b""

    @staticmethod
    @abstractmethod
    def wrap(body: bytes) -> bytes:
        """Give the body as it goes over the wire."""

    @abstractmethod
    def feed(self, data: bytes) -> list[bytes]:
        """Give the bodies that these bytes complete."""


class Line(Framing):
    """One JSON text a line."""

    name = "newline"

    @staticmethod
    def wrap(body: bytes) -> bytes:
        return body + b"\n"

    def feed(self, data: bytes) -> list[bytes]:
        *bodies, self._rest = (self._rest + data).split(b"\n")
        return bodies


class Header(Framing):
    """LSP's headers before each JSON text."""

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
    """A server ended too early, or answered something else than was asked."""


class Reply(msgspec.Struct):
    """A JSON-RPC response, its result still encoded."""

    id: int | None
    result: msgspec.Raw = msgspec.Raw()
    error: Any = None


def encode(method: str, many_params: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Encode a request for each params, with the ids 0, 1, 2, ..."""
    return [
        msgspec.json.encode({"jsonrpc": "2.0", "id": place, "method": method, "params": params})
        for place, params in enumerate(many_params)
    ]


def results(replies: Sequence[bytes]) -> list[msgspec.Raw]:
    """Give the results in the order of the requests' ids, each of which must have one."""
    by_id = {reply.id: reply.result for reply in map(_decode, replies)}
    if by_id.keys() != set(range(len(replies))):
        raise ServerError(f"{len(replies)} replies do not answer the ids from 0 on, once each")
    return [by_id[place] for place in range(len(replies))]


class Server:
    """A server process, and the only client of its stdin and stdout.

    Parameters
    ----------
    command
        The program and its arguments.
    framing
        What the client speaks to it.
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
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()

    @property
    def rss(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        return float(self._usage.memory_info().rss) / 1e6

    def load_at_rest(self, seconds: float) -> float:
        """Give the processor time used while nothing is asked, in % of a core."""
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
        """Wait for the next reply."""
        while not self._bodies:
            self._bodies.extend(self._read())
        return self._bodies.popleft()

    def request(self, method: str, **params: Any) -> Any:
        """Ask once and decode the result."""
        [body] = encode(method, [params])
        self.send(body)
        return msgspec.json.decode(_decode(self.receive()).result)

    def one_at_a_time(self, requests: Sequence[bytes]) -> tuple[list[float], list[bytes]]:
        """Send each request once the one before is answered.

        Returns
        -------
        The round trips in seconds, and the replies.
        """
        times, replies = [], []
        for request in map(self._framing.wrap, requests):
            start = time.perf_counter()
            self._write(request)
            reply = self.receive()
            times.append(time.perf_counter() - start)
            replies.append(reply)
        return times, replies

    def pipelined(self, requests: Sequence[bytes]) -> tuple[float, list[bytes]]:
        """Send all requests without waiting for replies.

        Returns
        -------
        The seconds from the first request written to the last reply read, and the replies.
        """
        wire = b"".join(map(self._framing.wrap, requests))
        writer = Thread(target=self._write_or_leave, args=(wire,), daemon=True)
        replies: list[bytes] = []
        start = time.perf_counter()
        writer.start()
        while len(replies) < len(requests):
            replies += self._read()
        seconds = time.perf_counter() - start
        writer.join()
        return seconds, replies

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._stdin.fileno(), view) :]

    def _write_or_leave(self, data: bytes) -> None:
        # A server that is gone is told by the reader.
        with suppress(OSError):
            self._write(data)

    def _read(self) -> list[bytes]:
        data = os.read(self._stdout.fileno(), BLOCK)
        if not data:
            raise ServerError(f"{self._process.args!r} ended, status {self._process.wait()}")
        return self._framing.feed(data)


_decoder = msgspec.json.Decoder(Reply)


def _decode(body: bytes) -> Reply:
    reply = _decoder.decode(body)
    if reply.error is not None:
        raise ServerError(f"answered with an error: {reply.error}")
    return reply
