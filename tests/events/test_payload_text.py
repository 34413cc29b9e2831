from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.model import ExpectedType, Payload
from flyte_sidecar.events.payload_text import mismatch, parse_payload
from flyte_sidecar.events.payloads import same


@pytest.mark.parametrize(
    ("expected", "text", "value"),
    [
        *(("bool", text, True) for text in ("true", "True", "yes", "YES", "y", " y\n")),
        *(("bool", text, False) for text in ("false", "False", "no", "No", "n")),
        *(("int", text, 7) for text in ("7", "+7", " 7 ", "007")),
        ("int", "-9223372036854775808", -(2**63)),
        ("int", "9223372036854775807", 2**63 - 1),
        *(("float", text, 0.5) for text in ("0.5", ".5", "5e-1", "+0.5")),
        ("float", "3", 3.0),
        ("float", "-0", -0.0),
        *(("float", text, math.inf) for text in ("inf", "Infinity", "+inf")),
        ("float", "-Infinity", -math.inf),
        ("float", "NaN", math.nan),
        *(("str", text, text) for text in ("", "7", "true", "-x", " a\nb ", "é", "null")),
        *((None, text, True) for text in ("true", " true ")),
        *((None, text, value) for text, value in (("3", 3), ("3.0", 3.0), ('"3"', "3"))),
    ],
)
def test_a_text_is_parsed_by_the_type(
    expected: ExpectedType | None, text: str, value: Payload
) -> None:
    parsed = parse_payload(text, expected)
    assert same(parsed, value)
    assert str(parsed) == str(value)  # -0.0 is not 0.0


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        *(("bool", text) for text in ("", "1", "0", "maybe", "ja")),
        *(("int", text) for text in ("", "7.0", "1e3", "0x7", "1_0", "true", "9" * 5000)),
        *(("int", text) for text in ("9223372036854775808", "-9223372036854775809")),
        *(("float", text) for text in ("", "x", "1,5", "1_0", "1e999", "-1e999", "true")),
        ("str", "\ud800"),
        *((None, text) for text in ("", "yes", "null", "[1]", "NaN", "1e999", '"\\ud800"')),
        (None, "9223372036854775808"),
    ],
)
def test_a_text_of_another_type_is_rejected_without_repeating_it(
    expected: ExpectedType | None, text: str
) -> None:
    with pytest.raises(PayloadTypeMismatch, match="the event expects ") as raised:
        parse_payload(text, expected)
    assert raised.value.data == ({} if expected is None else {"expectedType": expected})
    assert (
        raised.value.message.removeprefix("the event expects ")
        == {
            "bool": "yes or no (or true or false)",
            "int": "a whole number of at most 64 bits",
            "float": "a number such as 0.5 (or nan, inf, -inf)",
            "str": "any Unicode text",
            None: 'a value of unknown type, as JSON: true, 3, 0.5 or "text"',
        }[expected]
    )


def test_a_text_is_quoted_on_one_line_of_limited_length() -> None:
    assert mismatch("a\x1b[2J\nb", "float") == r"'a\x1b[2J b' is not a float"
    assert mismatch("7" * 1000, "int") == f"'{'7' * 79}…' is not an int"


@given(st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans())
def test_what_python_prints_is_parsed_to_the_same_value(value: Payload) -> None:
    expected: ExpectedType = "bool"
    if not isinstance(value, bool):
        expected = "int" if isinstance(value, int) else "float"
    assert same(parse_payload(str(value), expected), value)
