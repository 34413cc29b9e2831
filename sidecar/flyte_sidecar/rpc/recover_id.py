"""Recovering the id of a request from a message that cannot be read.

A request that is too large, truncated or not JSON also gets a response, which needs its id. An id
is recovered only if the text before it has the structure of an object's members; otherwise, the id
of another request could be found.
"""

from __future__ import annotations

import re

from flyte_sidecar.rpc.canonical_ids import canonical_id

MAX_ID_BYTES = 1024
"""Size in bytes; a longer id is not recovered."""

MAX_TOKENS = 1 << 19
"""Number of tokens (brackets, quotes, colons and commas) after which the search ends."""

_OUTSIDE = re.compile(rb'[^"{}\[\],:]*+')
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# Below the top level only brackets matter. Strings may contain brackets and are skipped.
_BELOW = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_SCALAR = re.compile(rb"-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null")
_CLOSING = {b"{": b"}", b"[": b"]"}


class IdFinder:
    """Searches a JSON text, fed in pieces, for the top-level member `id`.

    Attributes
    ----------
    id
        JSON text of the id, once it is found: a string, an integer or null.
    """

    def __init__(self) -> None:
        self.id: bytes | None = None
        self._ended = False
        self._tokens = 0
        self._open = bytearray()  # the closing brackets that are expected
        self._in_string = False
        self._escaped = False
        self._key: bytes | None = None  # of the current member, while its value is read
        # The text at the top level since the last comma or colon:
        self._text = bytearray()  # up to MAX_ID_BYTES bytes, without nested values
        self._strings = 0
        self._nested = 0

    def feed(self, data: bytes | bytearray) -> bytes | None:
        """Search the next piece, and return the id if it has been found."""
        at = 0
        while at < len(data) and not self._ended:
            at = self._feed_string(data, at) if self._in_string else self._feed_structure(data, at)
        return self.id

    def _feed_string(self, data: bytes | bytearray, at: int) -> int:
        """Continue inside a string, up to and including its end."""
        if self._escaped:
            end = at + 1
            self._escaped = False
        else:
            end = _match_end(_INSIDE, data, at)
            if end < len(data):
                # A backslash here is the last byte: the escaped character is in the next piece.
                self._in_string = self._escaped = data[end : end + 1] == b"\\"
                end += 1
        self._keep(data, at, end)
        return end

    def _feed_structure(self, data: bytes | bytearray, at: int) -> int:
        """Continue outside of strings, up to and including the next relevant token."""
        end = _match_end(_OUTSIDE if len(self._open) < 2 else _BELOW, data, at)
        self._keep(data, at, end)
        token = bytes(data[end : end + 1])
        if token:
            self._handle_token(token)
        return end + 1

    def _keep(self, data: bytes | bytearray, at: int, end: int) -> None:
        if len(self._open) < 2 and len(self._text) <= MAX_ID_BYTES:
            self._text += data[at : min(end, at + MAX_ID_BYTES + 1)]

    def _handle_token(self, token: bytes) -> None:
        depth = len(self._open)
        # A quote below the top level gets here only if its string continues in the next piece.
        self._tokens += depth < 2 or token != b'"'
        if self._tokens > MAX_TOKENS:
            self._ended = True
        elif token == b'"':
            self._in_string = True
            self._keep(token, 0, 1)
            self._strings += depth < 2
        elif token in b"{[":
            # A bracket starts the object, or the value of a member.
            self._ended = depth == 0 and (token == b"[" or self._has_text())
            self._nested += depth == 1
            self._open += _CLOSING[token]
        elif token in b"}]":
            if self._open[-1:] != token:
                self._ended = True
            elif depth == 1:
                self._end_member()
                self._ended = True
            else:
                self._open.pop()
        elif depth == 1:
            self._end_key() if token == b":" else self._end_member()
        else:
            self._ended = True  # a comma or colon outside of the object

    def _has_text(self) -> bool:
        return bool(self._strings or self._text.strip())

    def _end_key(self) -> None:
        key = self._take_value()
        if self._key is not None or key[:1] != b'"':
            self._ended = True
        self._key = key

    def _end_member(self) -> None:
        key, value = self._key, self._take_value()
        self._key = None
        if key is None or not value:
            self._ended = True
        elif len(key) <= MAX_ID_BYTES and canonical_id(key) == b'"id"':
            self._ended = True
            self.id = (
                value if len(value) <= MAX_ID_BYTES and canonical_id(value) is not None else None
            )

    def _take_value(self) -> bytes:
        """Return the JSON value since the last comma or colon; empty if there is not exactly one.

        A long value is truncated, and a nested one is returned as a bracket.
        """
        text = bytes(self._text).strip()
        strings, nested = self._strings, self._nested
        self._text, self._strings, self._nested = bytearray(), 0, 0
        if nested:
            return b"{" if nested == 1 and not strings and not text else b""
        if strings:
            return text if strings == 1 and text[:1] == b'"' and _is_one_string(text) else b""
        return text if _SCALAR.fullmatch(text) else b""


def _is_one_string(text: bytes) -> bool:
    """Return whether nothing follows the string; assume it if the text was truncated."""
    return len(text) > MAX_ID_BYTES or text[-1:] == b'"'


def _match_end(pattern: re.Pattern[bytes], data: bytes | bytearray, at: int) -> int:
    found = pattern.match(data, at)
    return at if found is None else found.end()


def recover_id(data: bytes) -> bytes | None:
    """Return the JSON text of the id in a message that cannot be read, or None."""
    return IdFinder().feed(data)
