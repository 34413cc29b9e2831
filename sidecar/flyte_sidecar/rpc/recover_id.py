"""Recovering the id of a request from a message that cannot be read.

The caller of a request that is too large, truncated or not JSON waits for a response, which needs
the id. An id is recovered only if everything before it is members of an object: after a syntax
error, another request's id could be mistaken for it.
"""

from __future__ import annotations

import re

from flyte_sidecar.rpc.canonical_ids import canonical_id

MAX_ID_BYTES = 1024
"""Size in bytes; a longer id is not recovered."""

MAX_STEPS = 1 << 19
"""Number of brackets, quotes, colons and commas after which the search ends."""

_OUTSIDE = re.compile(rb'[^"{}\[\],:]*+')
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# Below the top level only brackets matter; strings are skipped, since they may contain some.
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
        self._over = False  # the search has ended
        self._steps = 0
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
        while at < len(data) and not self._over:
            at = self._in(data, at) if self._in_string else self._out(data, at)
        return self.id

    def _in(self, data: bytes | bytearray, at: int) -> int:
        """Continue within a string, up to its end."""
        if self._escaped:
            end = at + 1
            self._escaped = False
        else:
            end = _end_of(_INSIDE, data, at)
            if end < len(data):
                # A backslash is here only if the escaped character is in the next piece.
                self._in_string = self._escaped = data[end : end + 1] == b"\\"
                end += 1
        self._keep(data, at, end)
        return end

    def _out(self, data: bytes | bytearray, at: int) -> int:
        """Continue outside of strings, up to the next relevant mark and past it."""
        end = _end_of(_OUTSIDE if len(self._open) < 2 else _BELOW, data, at)
        self._keep(data, at, end)
        mark = bytes(data[end : end + 1])
        if mark:
            self._take(mark)
        return end + 1

    def _keep(self, data: bytes | bytearray, at: int, end: int) -> None:
        if len(self._open) < 2 and len(self._text) <= MAX_ID_BYTES:
            self._text += data[at : min(end, at + MAX_ID_BYTES + 1)]

    def _take(self, mark: bytes) -> None:
        depth = len(self._open)
        # Whether quotes below the top level are seen here depends on the pieces.
        self._steps += depth < 2 or mark != b'"'
        if self._steps > MAX_STEPS:
            self._over = True
        elif mark == b'"':
            self._in_string = True
            self._keep(mark, 0, 1)
            self._strings += depth < 2
        elif mark in b"{[":
            # A bracket starts the object, or the value of a member.
            self._over = depth == 0 and (mark == b"[" or self._begun())
            self._nested += depth == 1
            self._open += _CLOSING[mark]
        elif mark in b"}]":
            if self._open[-1:] != mark:
                self._over = True
            elif depth == 1:
                self._end_member()
                self._over = True
            else:
                self._open.pop()
        elif depth == 1:
            self._end_key() if mark == b":" else self._end_member()
        else:
            self._over = True  # a comma or colon outside of the object

    def _begun(self) -> bool:
        return bool(self._strings or self._text.strip())

    def _end_key(self) -> None:
        key = self._taken()
        if self._key is not None or key[:1] != b'"':
            self._over = True
        self._key = key

    def _end_member(self) -> None:
        key, value = self._key, self._taken()
        self._key = None
        if key is None or not value:
            self._over = True
        elif len(key) <= MAX_ID_BYTES and canonical_id(key) == b'"id"':
            self._over = True
            self.id = (
                value if len(value) <= MAX_ID_BYTES and canonical_id(value) is not None else None
            )

    def _taken(self) -> bytes:
        """Return the one JSON text since the last mark; empty if it is not exactly one.

        A long text is truncated, and a nested value is represented by a bracket.
        """
        text = bytes(self._text).strip()
        strings, nested = self._strings, self._nested
        self._text, self._strings, self._nested = bytearray(), 0, 0
        if nested:
            return b"{" if nested == 1 and not strings and not text else b""
        if strings:
            return text if strings == 1 and text[:1] == b'"' and _whole(text) else b""
        return text if _SCALAR.fullmatch(text) else b""


def _whole(text: bytes) -> bool:
    """Return whether nothing follows the string, as far as the text was kept."""
    return len(text) > MAX_ID_BYTES or text[-1:] == b'"'


def _end_of(pattern: re.Pattern[bytes], data: bytes | bytearray, at: int) -> int:
    found = pattern.match(data, at)
    return at if found is None else found.end()


def recover_id(data: bytes) -> bytes | None:
    """Return the JSON text of the id in a message that cannot be read, or None."""
    return IdFinder().feed(data)
