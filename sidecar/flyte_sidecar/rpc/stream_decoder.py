"""Decoding a stream whose framing the client chooses.

The first byte that is not white space selects line framing or header framing.
"""

from __future__ import annotations

from collections.abc import Callable

from flyte_sidecar.rpc.framing import MAX_MESSAGE_BYTES, Decoder, Frame, Framing
from flyte_sidecar.rpc.header_framing import HeaderDecoder
from flyte_sidecar.rpc.line_framing import LineDecoder

_BOM = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"


class StreamDecoder:
    """Decodes a whole stream: skips white space and a byte order mark, and chooses the framing.

    Attributes
    ----------
    next, escape, frame
        Those of the framing that the client chose. Until then, `next` returns None, and messages
        are framed as lines.
    """

    def __init__(self, framing: Framing = "auto", max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.escape = LineDecoder.escape
        self.frame = LineDecoder.frame
        self.next: Callable[[], Frame | None] = lambda: None
        self._framing = framing
        self._max = max_bytes
        self._head = b""  # what may become a byte order mark
        self._started = False
        self._chosen: Decoder | None = None

    def feed(self, data: bytes) -> None:
        if self._chosen is None:
            data = (self._head + data).lstrip(_WHITE_SPACE)
            if not self._started:
                if len(data) < len(_BOM) and _BOM.startswith(data):
                    self._head = data
                    return
                self._head, self._started = b"", True
                data = data.removeprefix(_BOM).lstrip(_WHITE_SPACE)
            if not data:
                return
            self._chosen = self._choose(data)
            self.next = self._chosen.next
        self._chosen.feed(data)

    def end(self) -> Frame | None:
        if self._chosen is not None:
            return self._chosen.end()
        if not self._head:
            return None
        chosen = self._choose(self._head)
        chosen.feed(self._head)
        return chosen.next() or chosen.end()

    def _choose(self, data: bytes) -> Decoder:
        line = data[:1] in (b"{", b"[") if self._framing == "auto" else self._framing == "line"
        chosen = LineDecoder(self._max) if line else HeaderDecoder(self._max)
        self.escape, self.frame = chosen.escape, chosen.frame
        return chosen
