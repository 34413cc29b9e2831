"""The process's standard streams as a transport.

They may be pipes, files, sockets or a terminal. They are shared with other processes, and would be
non-blocking for all of them, so they are never made non-blocking. Streams that can be polled are
read and written on the event loop; others (files, Windows) in one thread per direction.
"""

from __future__ import annotations

import errno
import os
import sys

from flyte_sidecar.rpc.read_fd import FdReader, read_fd
from flyte_sidecar.rpc.transport import StreamProtocol
from flyte_sidecar.rpc.write_fd import FdWriter, write_fd


def take_stdio() -> tuple[int, int]:
    """Return private descriptors of stdin and stdout, and redirect the standard ones.

    Afterwards prints of this process and its children go to stderr, and their stdin is empty.

    Raises
    ------
    OSError
        If stdin or stdout is closed, or open in the wrong direction.
    """
    private = _duplicate(0, unusable=os.O_WRONLY), _duplicate(1, unusable=os.O_RDONLY)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(nothing, 1)  # stderr is closed
    if nothing > 2:
        os.close(nothing)
    return private


def _duplicate(descriptor: int, unusable: int) -> int:
    """Return a copy of a descriptor that is not a standard one and not inherited by children."""
    if sys.platform == "win32":
        import msvcrt

        copy = os.dup(descriptor)
        msvcrt.setmode(copy, os.O_BINARY)
        return copy
    import fcntl

    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == unusable:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


class StdioTransport:
    """Connects a protocol to two descriptors on the running loop."""

    def __init__(self, stdin: int, stdout: int, protocol: StreamProtocol) -> None:
        self._writer: FdWriter = write_fd(stdout, protocol)
        self._reader: FdReader = read_fd(stdin, protocol)
        protocol.connection_made(self)
        self._reader.resume()

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def pause_reading(self) -> None:
        self._reader.pause()

    def resume_reading(self) -> None:
        self._reader.resume()

    async def drained(self) -> None:
        await self._writer.drained()

    def close(self) -> None:
        """Stop reading and writing, and drop unwritten data."""
        self._reader.pause()
        self._writer.stop()
