"""A sidecar process that gets its whole input at once, and the parsers of its output."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct

from tests.e2e.process import COMMAND

TIMEOUT = 100.0
"""Seconds after which a process counts as hanging."""


class Finished(Struct, frozen=True):
    """The output and the exit status of a process."""

    stdout: bytes
    status: int


def run_sidecar(data: bytes, *arguments: str) -> Finished:
    """Send all data to a new sidecar on a new store, and wait until it has ended."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "events.db"
        process = subprocess.Popen(
            [*COMMAND, "--store", str(store), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            try:
                stdout, stderr = process.communicate(data, TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError("the process hangs") from None
    log = stderr.decode()
    assert "Traceback" not in log, log
    assert "internal error" not in log, log
    return Finished(stdout, process.returncode)


def lines(stream: bytes) -> list[Any]:
    """Parse line-framed output as the strictest reader would, and return the JSON values.

    Every line reader must find the same lines, so no other line end may occur in them.
    """
    text = stream.decode()
    found = text.split("\n")
    assert found.pop() == "", "the last line does not end"
    assert found == text.splitlines(), "a line contains another line end"
    return [parse(line) for line in found]


def framed(stream: bytes) -> list[Any]:
    """Parse header-framed output, and return the JSON values."""
    found = []
    while stream:
        header, separator, stream = stream.partition(b"\r\n\r\n")
        name, _, length = header.partition(b": ")
        assert separator, header
        assert name == b"Content-Length", header
        body, stream = stream[: int(length)], stream[int(length) :]
        found.append(parse(body.decode()))
    return found


def parse(text: str) -> Any:
    """Parse a JSON text by RFC 8259: Python's parser also accepts `NaN`."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise AssertionError(f"{error}: {text[:200]!r}") from None


def _refuse(word: str) -> NoReturn:
    raise AssertionError(f"{word} is not JSON")
