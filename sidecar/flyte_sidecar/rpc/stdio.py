"""The process's own standard streams as a transport.

They may be pipes, files, sockets or a terminal, and are shared with whoever started us: so
they are never made non-blocking, which would be seen at the other end of a shared file
description. Where the system can say that a stream is ready, it is read and written on the
event loop; elsewhere (files, Windows) by a thread for each direction.
"""

from __future__ import annotations

import errno
import os
import sys

from flyte_sidecar.rpc.read_fd import FdReader, read_fd
from flyte_sidecar.rpc.transport import StreamProtocol
from flyte_sidecar.rpc.write_fd import FdWriter, write_fd


def take_stdio() -> tuple[int, int]:
    """Take stdin and stdout away from everything else in the process.

    Gives private descriptors of both. Afterwards whatever prints, in this process or in a
    child, prints to stderr, and whatever reads finds the end of input.

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
    """Copy a descriptor, beyond the standard ones and out of the reach of children."""
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
    """Connects two descriptors with a protocol, on the running loop."""

    def __init__(self, stdin: int, stdout: int, protocol: StreamProtocol) -> None:
        self._writing: FdWriter = write_fd(stdout, protocol)
        self._reading: FdReader = read_fd(stdin, protocol)
        protocol.connection_made(self)
        self._reading.resume()

    def write(self, data: bytes) -> None:
        self._writing.write(data)

    def pause_reading(self) -> None:
        self._reading.pause()

    def resume_reading(self) -> None:
        self._reading.resume()

    async def drained(self) -> None:
        await self._writing.drained()

    def close(self) -> None:
        """Take the descriptors off the loop; what is not written is dropped."""
        self._reading.pause()
        self._writing.stop()
