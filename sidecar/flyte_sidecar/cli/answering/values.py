"""The answer as a person writes it, in an argument or on stdin."""

from __future__ import annotations

from flyte_sidecar.cli import standard_streams
from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.model import Event, Payload
from flyte_sidecar.events.outcome_text import title
from flyte_sidecar.events.payload_text import FORMS, mismatch, parse_payload

FROM_STDIN = "-"
"""The argument that stands for the value on stdin."""

VALUE_HELP = (
    "the answer: yes or no, a number, or text; - reads it from stdin (default: ask at the terminal)"
)


def read_value(value: str | None) -> str | None:
    """Return the value of an argument; `-` reads it from stdin, without one line end at its end.

    Raises
    ------
    PayloadTypeMismatch
        If stdin is not UTF-8.
    OSError
        If stdin is closed.
    """
    if value != FROM_STDIN:
        return value
    try:
        given = standard_streams.read_stdin().decode()
    except UnicodeDecodeError:
        raise PayloadTypeMismatch("the value on stdin is not UTF-8") from None
    return given.removesuffix("\n").removesuffix("\r")


def parse(event: Event, value: str) -> Payload:
    """Return the answer that a text is; raise `PayloadTypeMismatch` if it has another type."""
    expected = event.expected_type
    try:
        return parse_payload(value, expected)
    except PayloadTypeMismatch as error:
        what = "" if expected is None else f"{mismatch(value, expected)}: "
        message = f"{what}{title(event)} expects {FORMS[expected]}"
        raise PayloadTypeMismatch(message, **error.data) from None
