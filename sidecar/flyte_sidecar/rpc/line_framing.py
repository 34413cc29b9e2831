"""Line framing: one JSON text per line."""

from __future__ import annotations

from flyte_sidecar.rpc.framing import MAX_MESSAGE_BYTES, Frame, message_too_large
from flyte_sidecar.rpc.recover_id import IdFinder, recover_id

_WHITE_SPACE = b" \t\r\n"
_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


class LineDecoder:
    """Decodes one JSON text per line. Lines may end in CR LF; blank lines are skipped."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_bytes
        self._data = b""
        self._at = 0
        self._part = bytearray()  # the start of an incomplete line
        self._length = 0
        self._skipped: IdFinder | None = None  # searches a line that is too long for its id

    def feed(self, data: bytes) -> None:
        left = self._data[self._at :]
        self._data, self._at = left + data if left else data, 0

    def next(self) -> Frame | None:
        while True:
            end = self._data.find(b"\n", self._at)
            if end < 0:
                self._keep_part(self._data[self._at :])
                self._data, self._at = b"", 0
                return None
            piece = self._data[self._at : end]
            self._at = end + 1
            if self._length or len(piece) > self._max:
                line = self._complete(piece)
            else:
                line = piece.strip(_WHITE_SPACE)
            if line:
                return line

    def end(self) -> Frame | None:
        return self._complete(b"")

    @staticmethod
    def escape(message: bytes) -> bytes:
        """Escape the characters that some line readers treat as a line end.

        JSON encoders already escape the other line ends, which are control characters.
        """
        # Fast path: most messages contain not even the first bytes of these characters.
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

    def _keep_part(self, piece: bytes) -> None:
        """Keep a part of a line; of a line that is too long, only search for its id."""
        self._length += len(piece)
        if self._length > self._max + 1:  # it may end in a CR
            if self._skipped is None:
                self._skipped = IdFinder()
                self._skipped.feed(self._part)
                self._part = bytearray()
            self._skipped.feed(piece)
        else:
            self._part += piece

    def _complete(self, piece: bytes) -> Frame | None:
        """Return the line that ends with this piece, or None if it is blank."""
        if self._length or len(piece) > self._max:
            self._keep_part(piece)
            piece = bytes(self._part)
            length, skipped = self._length, self._skipped
            self._part, self._length, self._skipped = bytearray(), 0, None
            if skipped is not None:
                return message_too_large(length, self._max, skipped.id)
            if length > self._max and piece[-1:] != b"\r":
                return message_too_large(length, self._max, recover_id(piece))
        return piece.strip(_WHITE_SPACE) or None
