"""How messages are separated in a stream: one JSON text per line, or LSP's headers."""

from __future__ import annotations

import re
from typing import Protocol

from flyte_sidecar.conformance.target import Framing

_END_OF_HEADER = b"\r\n\r\n"
_LENGTH = re.compile(rb"content-length:[ \t]*([0-9]+)[ \t]*\r\n", re.IGNORECASE)
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*\r\n")


class Decoder(Protocol):
    """Splits what a server writes into messages."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that the data completes."""
        ...

    def take_noise(self) -> bytes:
        """Return and forget the bytes so far that belong to no message."""
        ...

    def rest(self) -> bytes:
        """Return the bytes that complete no message yet."""
        ...


def frame(framing: Framing, text: bytes) -> bytes:
    """Return a message with its framing."""
    if framing == "line":
        return text + b"\n"
    return b"Content-Length: %d\r\n\r\n%s" % (len(text), text)


def decoder(framing: Framing) -> Decoder:
    """Return the decoder of a stream."""
    return _Lines() if framing == "line" else _Headers()


class _Lines:
    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line for line in lines if line.strip()]

    def take_noise(self) -> bytes:
        return b""  # a line that is not a message is noticed when it is parsed

    def rest(self) -> bytes:
        return self._rest


class _Headers:
    def __init__(self) -> None:
        self._rest = bytearray()
        self._noise = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        messages: list[bytes] = []
        while (end := self._rest.find(_END_OF_HEADER)) >= 0:
            start = end + len(_END_OF_HEADER)
            header = bytes(self._rest[: end + 2])
            found = [*_LENGTH.finditer(header)]
            if not found:
                self._noise += bytes(self._rest[:start])
                del self._rest[:start]
                continue
            size = int(found[-1][1])
            if len(self._rest) < start + size:
                break
            self._noise += _noise_in(header)
            messages.append(bytes(self._rest[start : start + size]))
            del self._rest[: start + size]
        return messages

    def take_noise(self) -> bytes:
        noise, self._noise = self._noise, b""
        return noise

    def rest(self) -> bytes:
        return bytes(self._rest)


def _noise_in(header: bytes) -> bytes:
    """Return what a header block contains besides header fields."""
    return _FIELD.sub(b"", header)
