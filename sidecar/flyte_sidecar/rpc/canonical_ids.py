"""Canonical forms: one form for all ways to write the same id or integer in JSON."""

from __future__ import annotations

import re

from msgspec import DecodeError, json

MAX_DIGITS = 1024
"""An integer with an exponent is expanded to at most this number of digits."""

_NUMBER = re.compile(
    rb"(?P<sign>-?)(?P<whole>0|[1-9][0-9]*+)(?:\.(?P<fraction>[0-9]++))?"
    rb"(?:[eE](?P<exponent>[+-]?[0-9]{1,9}))?"
)
_CONTROL = re.compile(rb"[\x00-\x1f]")


def canonical_integer(text: bytes) -> bytes | None:
    """Return the digits of a JSON number without a fraction; None for anything else.

    `10.0` and `1e1` are the integer 10, as in JSON Schema.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, whole, fraction, exponent = found.groups()
    if fraction is None and exponent is None:
        return whole if whole == b"0" else text
    digits = whole + (fraction or b"")
    zeros = int(exponent or 0) - len(fraction or b"")
    if zeros < 0:
        stripped = digits.rstrip(b"0")
        if stripped and len(digits) - len(stripped) < -zeros:
            return None
        digits, zeros = digits[:zeros], 0
    digits = digits.lstrip(b"0")
    if not digits:
        return b"0"
    if len(digits) + zeros > MAX_DIGITS:
        return None
    return bytes(sign + digits + b"0" * zeros)


def canonical_id(text: bytes) -> bytes | None:
    """Return the canonical form of an id's JSON text; None for anything that is not an id."""
    if text == b"null":
        return text
    if text[:1] != b'"':
        return canonical_integer(text)
    if b"\\" not in text and text.isascii() and text.find(b'"', 1) == len(text) - 1:
        return None if _CONTROL.search(text) else text
    try:
        return json.encode(json.decode(text, type=str))
    except (DecodeError, UnicodeDecodeError):
        return None
