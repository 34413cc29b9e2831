"""Finding the id of a request in a message that cannot be read.

The caller of a request that is too large, cut short or not JSON still waits for an answer,
and only the id says who that is.
"""

from __future__ import annotations

import re

from msgspec import DecodeError, json

MAX_ID = 1024
"""Bytes; a longer id is not salvaged."""

_INTEGER = re.compile(rb"-?[0-9]+")
_OUTSIDE = re.compile(rb'["{}\[\],:]')
_OUTSIDE_DEEP = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')


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
        self._in_string = False
        self._escaped = False
        self._key: bytes | None = None  # the member whose value is being read
        self._token: bytearray | None = None  # what was read since the last comma or colon

    def feed(self, data: bytes) -> bytes | None:
        """Look through the next piece, and give the id if it was found by now."""
        position = 0
        while self.id is None and position < len(data):
            if self._escaped:
                self._keep(data[position : position + 1])
                self._escaped = False
                position += 1
                continue
            pattern = _INSIDE if self._in_string else _OUTSIDE if self._depth < 2 else _OUTSIDE_DEEP
            found = pattern.search(data, position)
            end = len(data) if found is None else found.start()
            self._keep(data[position:end])
            if found is None:
                break
            self._take(found.group())
            position = end + 1
        return self.id

    def _keep(self, data: bytes) -> None:
        if self._token is not None and self._depth == 1 and len(self._token) <= MAX_ID:
            self._token += data[: MAX_ID + 1]

    def _take(self, mark: bytes) -> None:
        if self._in_string:
            self._keep(mark)
            self._in_string = mark != b'"'
            self._escaped = mark == b"\\"
        elif mark == b'"':
            self._keep(mark)
            self._in_string = True
        elif mark in b"{[":
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
            if id_key(self._key.strip()) == b'"id"':
                value = bytes(self._token).strip()
                if id_key(value) is not None:
                    self.id = value
            self._key = None


def salvage_id(data: bytes) -> bytes | None:
    """Give the JSON text of the id of a request that cannot be read, if it has one."""
    return IdFinder().feed(data)


def id_key(text: bytes) -> bytes | None:
    """Give one form for all ways to write the same id; None for what may not be an id."""
    if _INTEGER.fullmatch(text) or text == b"null":
        return text
    if text[:1] != b'"':
        return None
    if b"\\" not in text and text.isascii():
        return text
    try:
        return json.encode(json.decode(text, type=str))
    except (DecodeError, UnicodeDecodeError):
        return None
