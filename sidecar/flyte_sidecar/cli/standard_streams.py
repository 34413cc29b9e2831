"""The standard streams of the verbs, except `serve`.

The parent process may have closed some of them, may share them with a program that made them
non-blocking (as Node does), and may have chosen an encoding that does not cover every character.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDIN, STDOUT, STDERR = 0, 1, 2

MAX_STDIN_BYTES = 16 << 20
"""The most that `read_stdin` reads: the size of the longest message of a client."""

READ_SIZE = 1 << 16
"""Bytes to read at once."""


def prepare() -> None:
    """Make the standard streams safe to use, in whatever state they were inherited.

    Afterwards `sys.stdout` and `sys.stderr` write everything that is printed, and errors of
    stderr are ignored. A closed descriptor is replaced by one on which reading and writing fail.
    Otherwise a file that is opened later would get its number, and output would go to that file.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:  # open() returns the lowest free descriptor: this one
            os.open(os.devnull, os.O_RDONLY if descriptor == STDOUT else os.O_WRONLY)
    sys.stdout = _text_stream(sys.stdout, _StdoutFile(STDOUT, "w", closefd=False))
    sys.stderr = _text_stream(sys.stderr, _StderrFile(STDERR, "w", closefd=False))


def require_stdout() -> None:
    """Raise `OSError` if stdout is closed."""
    _StdoutFile(STDOUT, "w", closefd=False).write(b"")


def read_stdin() -> bytes:
    """Return everything up to the end of input.

    Raises
    ------
    OSError
        If stdin is closed or cannot be read, or has more than `MAX_STDIN_BYTES`.
    """
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_STDIN_BYTES:
        try:
            chunk = os.read(STDIN, READ_SIZE)
        except BlockingIOError:
            select.select((STDIN,), (), ())
        except OSError as error:
            raise _with_stream_name(error, "stdin") from None
        else:
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
    raise OSError(f"stdin has more than {MAX_STDIN_BYTES:,} bytes")


def write_all(descriptor: int, data: ReadableBuffer) -> None:
    """Write all of the data, even to a non-blocking descriptor."""
    rest = memoryview(data).cast("B")
    while True:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select((), (descriptor,), ())
        if not rest:
            return


class _StdoutFile(io.FileIO):
    def write(self, data: ReadableBuffer) -> int:
        try:
            write_all(self.fileno(), data)
        except OSError as error:
            raise _with_stream_name(error, "stdout") from None
        return memoryview(data).nbytes


class _StderrFile(io.FileIO):
    def write(self, data: ReadableBuffer) -> int:
        with suppress(OSError):
            write_all(self.fileno(), data)
        return memoryview(data).nbytes


def _with_stream_name(error: OSError, stream: str) -> OSError:
    if isinstance(error, BrokenPipeError):
        return error
    closed = error.errno == errno.EBADF
    return OSError(f"{stream} is closed" if closed else f"{stream}: {error.strerror}")


def _text_stream(inherited: TextIO | None, raw: io.FileIO) -> TextIO:
    if isinstance(inherited, io.TextIOWrapper) and sys.platform == "win32":
        inherited.reconfigure(errors="backslashreplace")  # its console does not accept bytes
        return inherited
    encoding = "utf-8" if inherited is None else inherited.encoding
    return io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True)
