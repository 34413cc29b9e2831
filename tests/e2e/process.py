"""A sidecar process as its client sees it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.conftest import TEST_TIMEOUT

COMMAND = (sys.executable, "-m", "flyte_sidecar")


class Process:
    """A sidecar on pipes, with line framing.

    It uses the store, unless `backend_options` select another backend. Its stderr is a file beside
    the store, unless `popen_options` replace it.
    """

    def __init__(
        self,
        store: Path,
        *arguments: str,
        command: Sequence[str] = COMMAND,
        backend_options: Sequence[str] | None = None,
        **popen_options: Any,
    ) -> None:
        backend = ("--store", str(store)) if backend_options is None else backend_options
        self.errors = store.parent / "stderr"
        with self.errors.open("ab") as errors:
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
            self.popen = subprocess.Popen(
                [*command, *backend, *arguments], **{**streams, **popen_options}
            )
        self._buffer = b""

    @property
    def pid(self) -> int:
        return self.popen.pid

    def write(self, data: bytes) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def send(self, *messages: Any) -> None:
        self.write(lines(messages))

    def request(self, request_id: Any, method: str, **params: Any) -> None:
        self.send(request(request_id, method, **params))

    def read(self, count: int = 1 << 16) -> bytes:
        """Return some of the output, b"" at its end."""
        assert self.popen.stdout is not None
        descriptor = self.popen.stdout.fileno()
        wait_for_data(descriptor)
        return os.read(descriptor, count)

    def answer(self) -> Any:
        """Return the next line."""
        while b"\n" not in self._buffer:
            data = self.read()
            assert data, "the output ended before a response"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def answers(self, count: int) -> list[Any]:
        return [self.answer() for _ in range(count)]

    def read_all(self) -> list[Any]:
        """Return everything up to the end of the output."""
        parts = [self._buffer]
        while data := self.read(1 << 20):
            parts.append(data)
        self._buffer = b""
        return [json.loads(line) for line in b"".join(parts).splitlines()]

    def call(self, method: str, **params: Any) -> Any:
        """Send a request and return its result, which is the next response."""
        self.request("call", method, **params)
        answer = self.answer()
        assert "result" in answer, answer
        return answer["result"]

    def wait_for_counter(self, counter: str, value: int) -> None:
        """Wait until a counter of the sidecar's status has a value."""
        deadline = time.monotonic() + TEST_TIMEOUT
        while self.call("sidecar.status")["counters"][counter] != value:
            assert time.monotonic() < deadline

    def end_input(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def stop_reading(self) -> None:
        assert self.popen.stdout is not None
        self.popen.stdout.close()

    def status(self) -> int:
        """Wait for the end of the process."""
        return self.popen.wait(TEST_TIMEOUT)

    def stderr_text(self) -> str:
        return self.errors.read_text()

    def clear(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def wait_for_data(descriptor: int) -> None:
    """Wait until a pipe or a terminal has data, or has ended.

    On Windows, where `select` accepts only sockets, reading it waits, without a time limit.
    """
    if sys.platform != "win32":
        assert select.select([descriptor], [], [], TEST_TIMEOUT)[0], "no output"


def request(request_id: Any, method: str, **params: Any) -> dict[str, Any]:
    made = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return {**made, "params": params} if params else made


def lines(messages: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def kind(answer: Any) -> str:
    """Return the kind of an error, or `result`."""
    found: str = answer["error"]["data"]["kind"] if "error" in answer else "result"
    return found


def by_id(answers: Iterable[Any]) -> dict[Any, str]:
    """Return the kinds of the responses by their ids, which are unique."""
    found: dict[Any, str] = {}
    for answer in answers:
        assert answer["id"] not in found
        found[answer["id"]] = kind(answer)
    return found
