"""Payloads as a person types them."""

from __future__ import annotations

import math

from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events import payloads
from flyte_sidecar.events.model import ExpectedType, Payload
from flyte_sidecar.events.plain_text import one_line

_BOOLS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}

FORMS: dict[ExpectedType, str] = {
    "bool": "yes or no (or true or false)",
    "int": "a whole number of at most 64 bits",
    "float": "a number such as 0.5 (or nan, inf, -inf)",
    "str": "any Unicode text",
}
"""What a person may type for each type."""


def parse_payload(text: str, expected: ExpectedType) -> Payload:
    """Return the payload that a text represents; a str is the text itself.

    Raises
    ------
    PayloadTypeMismatch
        If the text does not have the type. The message does not repeat it: it may be a secret.
    """
    try:
        return payloads.fit(_value(text, expected), expected, None)
    except (KeyError, ValueError, PayloadTypeMismatch):
        message = f"the event expects {FORMS[expected]}"
        raise PayloadTypeMismatch(message, expectedType=expected) from None


def mismatch(text: str, expected: ExpectedType) -> str:
    """Return that a text does not have the type, with the text in quotes."""
    article = "an" if expected == "int" else "a"
    return f"'{one_line(text)}' is not {article} {expected}"


def _value(text: str, expected: ExpectedType) -> Payload:
    if expected == "str":
        return text
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
