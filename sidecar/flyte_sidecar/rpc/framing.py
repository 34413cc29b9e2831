"""Framing: from a stream of bytes to messages and back, without any input or output.

The first byte that is not white space selects line framing or header framing.
"""

from __future__ import annotations

from typing import Literal, Protocol

from flyte_sidecar.rpc.header_framing import HeaderDecoder
from flyte_sidecar.rpc.line_framing import LineDecoder
from flyte_sidecar.rpc.malformed import MAX_MESSAGE_BYTES, Frame

Framing = Literal["auto", "header", "line"]

_BOM = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"


class Decoder(Protocol):
    """Takes bytes as they come and gives messages."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def next(self) -> Frame | None:
        """Give the next message, None if more bytes are needed."""

    def end(self) -> Frame | None:
        """Say that no more bytes come, and give what the last ones stand for."""

    def safe(self, message: bytes) -> bytes:
        """Return the JSON text in a form that this framing carries whole."""

    def frame(self, message: bytes) -> bytes:
        """Put a safe message into this framing."""


class StreamDecoder:
    """The decoder of a whole stream: skips what stands before it, and chooses the framing."""

    def __init__(self, framing: Framing = "auto", max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._framing = framing
        self._max = max_bytes
        self._head = b""  # what may yet become a byte order mark
        self._begun = False
        self._chosen: Decoder | None = None

    def feed(self, data: bytes) -> None:
        if self._chosen is None:
            data = (self._head + data).lstrip(_WHITE_SPACE)
            if not self._begun:
                if len(data) < len(_BOM) and _BOM.startswith(data):
                    self._head = data
                    return
                data, self._head, self._begun = (
                    data.removeprefix(_BOM).lstrip(_WHITE_SPACE),
                    b"",
                    True,
                )
            if not data:
                return
            self._chosen = self._choose(data[:1])
        self._chosen.feed(data)

    def next(self) -> Frame | None:
        return None if self._chosen is None else self._chosen.next()

    def end(self) -> Frame | None:
        if self._chosen is not None:
            return self._chosen.end()
        if not self._head:
            return None
        self._chosen = self._choose(self._head)
        self._chosen.feed(self._head)
        return self._chosen.next() or self._chosen.end()

    # Until the client has chosen, a message is sent as a line.

    def safe(self, message: bytes) -> bytes:
        return (self._chosen or LineDecoder).safe(message)

    def frame(self, message: bytes) -> bytes:
        return (self._chosen or LineDecoder).frame(message)

    def _choose(self, first: bytes) -> Decoder:
        line = first in (b"{", b"[") if self._framing == "auto" else self._framing == "line"
        return LineDecoder(self._max) if line else HeaderDecoder(self._max)
