"""Bytes to messages and back, without any input or output of its own.

Two framings are spoken: one JSON text a line, and LSP's headers. The first byte that is not
white space tells which.
"""

from __future__ import annotations

import re
from typing import Literal, Protocol

from msgspec import Struct

from flyte_sidecar.errors import InvalidRequest, MessageTooLarge, ParseError, SidecarError
from flyte_sidecar.rpc.recover_id import IdFinder, salvage_id

Framing = Literal["auto", "header", "line"]

MAX_MESSAGE_BYTES = 16 << 20
MAX_HEADER_BYTES = 8 << 10

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
_LENGTH = re.compile(rb"Content-Length: ([0-9]{1,15})\r\n\r\n")


class Malformed(Struct, frozen=True):
    """A message that cannot be read: what to answer, and to whom.

    Attributes
    ----------
    id
        The JSON text of the request's id, if it could be recovered.
    fatal
        Whether nothing after it can be read either.
    """

    error: SidecarError
    id: bytes | None = None
    fatal: bool = False


Frame = bytes | Malformed


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


class LineDecoder:
    """One JSON text a line; lines may end in CR LF, blank ones are skipped."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_bytes
        self._data = b""
        self._at = 0
        self._part = bytearray()  # the beginning of a line whose end has not come
        self._length = 0
        self._skipped: IdFinder | None = None  # looks through a line that is too long

    def feed(self, data: bytes) -> None:
        left = self._data[self._at :]
        self._data, self._at = left + data if left else data, 0

    def next(self) -> Frame | None:
        while True:
            end = self._data.find(b"\n", self._at)
            if end < 0:
                self._hold(self._data[self._at :])
                self._data, self._at = b"", 0
                return None
            piece = self._data[self._at : end]
            self._at = end + 1
            line = self._complete(piece)
            if line is not None:
                return line

    def end(self) -> Frame | None:
        return self._complete(b"")

    @staticmethod
    def safe(message: bytes) -> bytes:
        """Escape the characters at which some readers of lines break.

        JSON escapes the other ones (the control characters) anyway.
        """
        # Most messages are settled by a look for the first bytes of these characters.
        if b"\xe2" in message or b"\xc2" in message:
            text = message.decode()
            for character, escape in _LINE_ENDS:
                if character in text:
                    text = text.replace(character, escape)
                    message = text.encode()
        return message

    @staticmethod
    def frame(message: bytes) -> bytes:
        return message + b"\n"

    def _hold(self, piece: bytes) -> None:
        """Keep the beginning of a line, but not one that is too long to be taken."""
        self._length += len(piece)
        if self._length > self._max + 1:  # a CR may stand at the end
            if self._skipped is None:
                self._skipped = IdFinder()
                self._skipped.feed(self._part)
                self._part = bytearray()
            self._skipped.feed(piece)
        else:
            self._part += piece

    def _complete(self, piece: bytes) -> Frame | None:
        """Give the line that ends with this piece, None if it is blank."""
        if self._length or len(piece) > self._max:
            self._hold(piece)
            piece = bytes(self._part)
            length, skipped = self._length, self._skipped
            self._part, self._length, self._skipped = bytearray(), 0, None
            if skipped is not None:
                return too_large(length, self._max, skipped.id)
            if length > self._max and piece[-1:] != b"\r":
                return too_large(length, self._max, salvage_id(piece))
        return piece.strip(_BLANK) or None


class HeaderDecoder:
    """LSP's framing: headers, a blank line, and as many bytes as `Content-Length` says."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_bytes
        self._data = b""
        self._at = 0
        self._wanted = 0  # bytes of the body that have not come
        self._length = -1  # of the body; negative while a header block is read
        self._head = 0  # bytes of the header block's lines that were read
        self._declared: int | None = None  # the length that they name
        self._part = bytearray()  # those that have
        self._skipped: IdFinder | None = None
        self._refused: SidecarError | None = None

    def feed(self, data: bytes) -> None:
        left = self._data[self._at :]
        self._data, self._at = left + data if left else data, 0

    def next(self) -> Frame | None:
        if self._length < 0:
            plain = None if self._head else _LENGTH.match(self._data, self._at)
            if plain is not None:
                self._at = plain.end()
                self._begin(int(plain.group(1)))
            else:
                malformed = self._read_headers()
                if malformed is not None or self._length < 0:
                    return malformed
        return self._read_body()

    def end(self) -> Frame | None:
        if self._length >= 0:
            finder = self._skipped or IdFinder()
            finder.feed(self._part)
            came = self._length - self._wanted
            error = ParseError(f"the input ended after {came} of {self._length} bytes of a message")
            return Malformed(error, finder.id)
        if self._head or self._data[self._at :].strip(_BLANK):
            return _no_length("the input ended within a header block")
        return None

    def safe(self, message: bytes) -> bytes:
        return message

    def frame(self, message: bytes) -> bytes:
        return b"Content-Length: %d\r\n\r\n%b" % (len(message), message)

    def _begin(self, length: int) -> None:
        self._length = self._wanted = length
        self._skipped = IdFinder() if length > self._max else None

    def _read_body(self) -> Frame | None:
        piece = self._data[self._at : self._at + self._wanted]
        self._at += len(piece)
        self._wanted -= len(piece)
        if self._skipped is not None:
            self._skipped.feed(piece)
        elif self._wanted or self._part:
            self._part += piece
        if self._wanted:
            return None
        body = bytes(self._part) if self._part else piece
        length, skipped, refused = self._length, self._skipped, self._refused
        self._length, self._skipped, self._refused = -1, None, None
        if self._part:
            self._part = bytearray()
        if skipped is not None:
            return too_large(length, self._max, skipped.id)
        if refused is not None:
            return Malformed(refused, salvage_id(body))
        return body

    def _read_headers(self) -> Malformed | None:
        """Read what has come of a header block, a line at a time."""
        while not self._head and self._data[self._at : self._at + 1] in (b"\r", b"\n"):
            self._at += 1
        while (end := self._data.find(b"\n", self._at)) >= 0:
            line = self._data[self._at : end].strip(_BLANK)
            self._head += end + 1 - self._at
            self._at = end + 1
            if self._head > MAX_HEADER_BYTES:
                break
            if not line:
                return self._end_headers()
            malformed = self._read_header(line)
            if malformed is not None:
                return malformed
        if self._head + len(self._data) - self._at >= MAX_HEADER_BYTES:
            return _no_length("a header block does not end")
        return None

    def _read_header(self, line: bytes) -> Malformed | None:
        name, colon, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            return _no_length("a header line has no colon")
        if name == b"content-length":
            plain = re.fullmatch(rb"[0-9]{1,15}", value)
            if not plain or self._declared not in (None, int(value)):
                return _no_length("Content-Length is not a number of bytes")
            self._declared = int(value)
        elif name == b"content-type":
            self._refused = _refuse_charset(value)
        return None

    def _end_headers(self) -> Malformed | None:
        declared, self._head, self._declared = self._declared, 0, None
        if declared is None:
            return _no_length("a header block has no Content-Length")
        self._begin(declared)
        return None


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
            data = (self._head + data).lstrip(_BLANK)
            if not self._begun:
                if len(data) < len(_BOM) and _BOM.startswith(data):
                    self._head = data
                    return
                data, self._head, self._begun = data.removeprefix(_BOM).lstrip(_BLANK), b"", True
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


def too_large(length: int, limit: int, identity: bytes | None) -> Malformed:
    """Refuse a message for its size."""
    error = MessageTooLarge(f"the message has {length} bytes, the limit is {limit}", limit=limit)
    return Malformed(error, identity)


def _no_length(why: str) -> Malformed:
    return Malformed(ParseError(f"{why}: no message can be found after it"), fatal=True)


def _refuse_charset(content_type: bytes) -> SidecarError | None:
    found = re.search(rb"charset\s*=\s*\"?([^\s;\"]*)", content_type, re.IGNORECASE)
    if found is None or found.group(1).lower() in (b"utf-8", b"utf8"):
        return None
    return InvalidRequest("messages are UTF-8; Content-Type names another charset")
