"""Header framing, as in the Language Server Protocol: `Content-Length`, then the body."""

from __future__ import annotations

import re

from flyte_sidecar.errors import InvalidRequest, ParseError, SidecarError
from flyte_sidecar.rpc.framing import MAX_MESSAGE_BYTES, Frame, Malformed, message_too_large
from flyte_sidecar.rpc.recover_id import IdFinder, recover_id

MAX_HEADER_BYTES = 8 << 10

_WHITE_SPACE = b" \t\r\n"
_LENGTH = re.compile(rb"Content-Length: ([0-9]{1,15})\r\n\r\n")


class HeaderDecoder:
    """Decodes headers, a blank line, and a body of `Content-Length` bytes."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_bytes
        self._data = b""
        self._at = 0
        self._missing = 0  # bytes of the body that were not received
        self._length = -1  # size of the body; negative while headers are read
        self._header_bytes = 0  # size of the headers that were read
        self._declared: int | None = None  # the Content-Length in these headers
        self._part = bytearray()  # the received bytes of the body
        self._skipped: IdFinder | None = None  # searches a body that is too long for its id
        self._header_error: SidecarError | None = None

    def feed(self, data: bytes) -> None:
        left = self._data[self._at :]
        self._data, self._at = left + data if left else data, 0

    def next(self) -> Frame | None:
        if self._length < 0:
            plain = None if self._header_bytes else _LENGTH.match(self._data, self._at)
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
            received = self._length - self._missing
            error = ParseError(
                f"the input ended after {received} of {self._length} bytes of a message"
            )
            return Malformed(error, finder.id)
        if self._header_bytes or self._data[self._at :].strip(_WHITE_SPACE):
            return _no_length("the input ended within the headers")
        return None

    @staticmethod
    def escape(message: bytes) -> bytes:
        return message

    @staticmethod
    def frame(message: bytes) -> bytes:
        return b"Content-Length: %d\r\n\r\n%b" % (len(message), message)

    def _begin(self, length: int) -> None:
        self._length = self._missing = length
        self._skipped = IdFinder() if length > self._max else None

    def _read_body(self) -> Frame | None:
        piece = self._data[self._at : self._at + self._missing]
        self._at += len(piece)
        self._missing -= len(piece)
        if self._skipped is not None:
            self._skipped.feed(piece)
        elif self._missing or self._part:
            self._part += piece
        if self._missing:
            return None
        body = bytes(self._part) if self._part else piece
        length, skipped, header_error = self._length, self._skipped, self._header_error
        self._length, self._skipped, self._header_error = -1, None, None
        if self._part:
            self._part = bytearray()
        if skipped is not None:
            return message_too_large(length, self._max, skipped.id)
        if header_error is not None:
            return Malformed(header_error, recover_id(body))
        return body

    def _read_headers(self) -> Malformed | None:
        """Read the received headers, line by line."""
        while not self._header_bytes and self._data[self._at : self._at + 1] in (b"\r", b"\n"):
            self._at += 1
        while (end := self._data.find(b"\n", self._at)) >= 0:
            line = self._data[self._at : end].strip(_WHITE_SPACE)
            self._header_bytes += end + 1 - self._at
            self._at = end + 1
            if self._header_bytes > MAX_HEADER_BYTES:
                break
            if not line:
                return self._end_headers()
            malformed = self._read_header(line)
            if malformed is not None:
                return malformed
        if self._header_bytes + len(self._data) - self._at >= MAX_HEADER_BYTES:
            return _no_length(f"the headers exceed {MAX_HEADER_BYTES} bytes")
        return None

    def _read_header(self, line: bytes) -> Malformed | None:
        name, colon, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            return _no_length("a header line has no colon")
        if name == b"content-length":
            plain = re.fullmatch(rb"[0-9]{1,15}", value)
            if not plain or self._declared not in (None, int(value)):
                return _no_length("Content-Length is invalid or repeated")
            self._declared = int(value)
        elif name == b"content-type":
            self._header_error = _check_charset(value)
        return None

    def _end_headers(self) -> Malformed | None:
        declared, self._header_bytes, self._declared = self._declared, 0, None
        if declared is None:
            return _no_length("Content-Length is missing")
        self._begin(declared)
        return None


def _no_length(reason: str) -> Malformed:
    return Malformed(ParseError(f"{reason}: the next message cannot be found"), fatal=True)


def _check_charset(content_type: bytes) -> SidecarError | None:
    found = re.search(rb"charset\s*=\s*\"?([^\s;\"]*)", content_type, re.IGNORECASE)
    if found is None or found.group(1).lower() in (b"utf-8", b"utf8"):
        return None
    return InvalidRequest("unsupported charset: messages must be UTF-8")
