"""Finding the id of a request in a message that cannot be read.

The caller of a request that is too large, cut short or not JSON still waits for an answer,
and only the id says who that is.
"""

from __future__ import annotations

import re

from msgspec import DecodeError, json

MAX_ID = 1024
"""Bytes; a longer id is not salvaged."""

MAX_STEPS = 1 << 19
"""Marks that are looked at before the search is given up, for a text may be nothing else."""

_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_CONTROL = re.compile(rb"[\x00-\x1f]")
_OUTSIDE = re.compile(rb'[^"{}\[\],:]*+')
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# Below the top level only brackets matter, and strings only for the brackets in them.
_BELOW = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)


class IdFinder:
    """Looks through a JSON text, fed in pieces, for the top-level member `id`.

    Attributes
    ----------
    id
        The id's own JSON text, once it is found: a string, an integer or null.
    """

    def __init__(self) -> None:
        self.id: bytes | None = None
        self._depth = 0
        self._steps = 0
        self._in_string = False
        self._escaped = False
        self._key: bytes | None = None  # the member whose value is being read
        self._token: bytearray | None = None  # what was read since the last comma or colon

    def feed(self, data: bytes | bytearray) -> bytes | None:
        """Look through the next piece, and give the id if it was found by now."""
        at = 0
        while at < len(data) and self.id is None and self._steps < MAX_STEPS:
            at = self._in(data, at) if self._in_string else self._out(data, at)
        return self.id

    def _in(self, data: bytes | bytearray, at: int) -> int:
        """Go on in a string, to its end if it has come."""
        if self._escaped:
            end = at + 1
            self._escaped = False
        else:
            end = _end_of(_INSIDE, data, at)
            if end < len(data):
                # A backslash stands here only where its partner has not come.
                self._in_string = self._escaped = data[end : end + 1] == b"\\"
                end += 1
        self._keep(data[at : min(end, at + MAX_ID + 1)])
        return end

    def _out(self, data: bytes | bytearray, at: int) -> int:
        """Go on outside of strings, to the next mark that matters and over it."""
        end = _end_of(_OUTSIDE if self._depth < 2 else _BELOW, data, at)
        self._keep(data[at : min(end, at + MAX_ID + 1)])
        mark = bytes(data[end : end + 1])
        if mark:
            self._take(mark)
        return end + 1

    def _keep(self, data: bytes | bytearray) -> None:
        if self._token is not None and self._depth == 1 and len(self._token) <= MAX_ID:
            self._token += data

    def _take(self, mark: bytes) -> None:
        if mark == b'"':
            # Below the top level it depends on the pieces whether this is reached.
            self._steps += self._depth < 2
            self._keep(mark)
            self._in_string = True
            return
        self._steps += 1
        if mark in b"{[":
            self._depth += 1
            self._token = bytearray() if self._depth == 1 and mark == b"{" else None
        elif mark in b"}]":
            self._end_of_member()
            self._depth -= 1
        elif mark == b":":
            self._key, self._token = bytes(self._token or b""), bytearray()
        else:
            self._end_of_member()
            self._token = bytearray()

    def _end_of_member(self) -> None:
        if self._depth == 1 and self._token is not None and self._key is not None:
            if len(self._token) <= MAX_ID and id_key(self._key.strip()) == b'"id"':
                value = bytes(self._token).strip()
                if id_key(value) is not None:
                    self.id = value
            self._key = None


def _end_of(pattern: re.Pattern[bytes], data: bytes | bytearray, at: int) -> int:
    found = pattern.match(data, at)
    return at if found is None else found.end()


def salvage_id(data: bytes) -> bytes | None:
    """Give the JSON text of the id of a request that cannot be read, if it has one."""
    return IdFinder().feed(data)


def id_key(text: bytes) -> bytes | None:
    """Give one form for all ways to write the same id; None for what may not be an id."""
    if _INTEGER.fullmatch(text) or text == b"null":
        return text
    if text[:1] != b'"':
        return None
    if b"\\" not in text and text.isascii() and not _CONTROL.search(text):
        return text
    try:
        return json.encode(json.decode(text, type=str))
    except (DecodeError, UnicodeDecodeError):
        return None
