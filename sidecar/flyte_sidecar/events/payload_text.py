"""Payloads as a person types them."""

from __future__ import annotations

import math

from msgspec import DecodeError, json

from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events import payloads
from flyte_sidecar.events.model import ExpectedType, Payload
from flyte_sidecar.events.plain_text import one_line

_BOOLS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}

FORMS: dict[ExpectedType | None, str] = {
    "bool": "yes or no (or true or false)",
    "int": "a whole number of at most 64 bits",
    "float": "a number such as 0.5 (or nan, inf, -inf)",
    "str": "any Unicode text",
    None: 'a value of unknown type, as JSON: true, 3, 0.5 or "text"',
}
"""What a person may type for each type, and for one that the backend does not report."""


def parse_payload(text: str, expected: ExpectedType | None) -> Payload:
    """Return the payload that a text represents; a str is the text itself.

    Parameters
    ----------
    expected
        The event's type. If the backend does not report it, the text is a JSON value.

    Raises
    ------
    PayloadTypeMismatch
        If the text does not have the type. The message does not repeat it: it may be a secret.
    """
    try:
        return payloads.fit(_value(text, expected), expected, None)
    except (DecodeError, KeyError, ValueError, PayloadTypeMismatch):
        members = {} if expected is None else {"expectedType": expected}
        raise PayloadTypeMismatch(f"the event expects {FORMS[expected]}", **members) from None


def mismatch(text: str, expected: ExpectedType) -> str:
    """Return that a text does not have the type, with the text in quotes."""
    article = "an" if expected == "int" else "a"
    return f"'{one_line(text)}' is not {article} {expected}"


def _value(text: str, expected: ExpectedType | None) -> Payload:
    if expected == "str":
        return text
    if expected is None:
        return json.decode(text, type=bool | int | float | str)
    word = text.strip().lower()
    if expected == "bool":
        return _BOOLS[word]
    if "_" in word:
        raise ValueError("Python accepts underscores between digits")
    if expected == "int":
        return int(word)
    number = float(word)
    if math.isinf(number) and "inf" not in word:
        raise ValueError("the number overflows a double")
    return number
