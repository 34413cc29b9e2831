from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.payloads import MAX_SAFE_INTEGER, MINUS_ZERO, fit, for_json, same, type_of

INT64S = st.integers(-(2**63), 2**63 - 1)
BEYOND = st.one_of(st.integers(min_value=2**63), st.integers(max_value=-(2**63) - 1))
SCALARS = st.one_of(st.booleans(), INT64S, st.floats(), st.text())


@given(SCALARS)
def test_a_payload_of_its_own_type_is_unchanged(value: Any) -> None:
    kind = type_of(value)
    for declared, claimed in ((kind, None), (None, kind), (kind, kind), (None, None)):
        assert same(fit(value, declared, claimed), value)


@given(SCALARS)
def test_the_form_for_json_fits_back_into_the_same_payload(value: Any) -> None:
    form = for_json(value)
    assert form is not None
    assert same(fit(form, type_of(value), None), value)
    if type(form) is int:
        assert -MAX_SAFE_INTEGER <= form <= MAX_SAFE_INTEGER
    if type(form) is float:
        assert math.isfinite(form)


@given(INT64S)
def test_an_int_may_be_sent_as_decimal_digits(value: int) -> None:
    assert fit(str(value), "int", None) == value


@given(BEYOND)
def test_no_int_beyond_64_bits_is_accepted(value: int) -> None:
    for form in (value, str(value)):
        with pytest.raises(PayloadTypeMismatch):
            fit(form, "int", None)


@given(st.integers() | st.integers(-(2**1030), 2**1030))
def test_an_integer_becomes_the_nearest_double_of_a_float_event(value: int) -> None:
    try:
        nearest = float(value)
    except OverflowError:
        with pytest.raises(PayloadTypeMismatch):
            fit(value, "float", None)
        return
    fitted = fit(value, "float", None)
    assert (type(fitted), fitted) == (float, nearest)


def test_minus_zero_is_the_integer_0_and_the_double_minus_zero() -> None:
    for form in (MINUS_ZERO, "-0"):
        assert str(fit(form, "float", None)) == "-0.0"
    for declared in ("int", None):
        assert (type(fit(MINUS_ZERO, declared, None)), fit(MINUS_ZERO, declared, None)) == (int, 0)
    assert str(fit(MINUS_ZERO, None, "float")) == "-0.0"
    with pytest.raises(PayloadTypeMismatch):
        fit("-0", "int", None)


@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
)
def test_a_float_may_be_sent_as_a_decimal_number_in_a_string(text: str) -> None:
    if math.isinf(float(text)):
        with pytest.raises(PayloadTypeMismatch):
            fit(text, "float", None)
    else:
        assert repr(fit(text, "float", None)) == repr(float(text))


@given(st.text() | st.text("0123456789+-.eE_ xinfINFaNty", max_size=12))
def test_no_other_string_is_a_float(text: str) -> None:
    if text in ("NaN", "Infinity", "-Infinity"):
        return
    try:
        number = json.loads(text)
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or text.strip() != text:
        with pytest.raises(PayloadTypeMismatch):
            fit(text, "float", None)


@pytest.mark.parametrize(
    ("value", "claimed", "fitted"),
    [
        *((True, None, True), (3, None, 3), (3.0, None, 3.0), ("x", None, "x"), ("3", None, "3")),
        *((3, "float", 3.0), ("3", "float", 3.0), ("NaN", "float", math.nan), ("3", "int", 3)),
        *(("3", "str", "3"), (False, "bool", False)),
    ],
)
def test_without_the_events_type_the_clients_decides_or_else_the_value(
    value: Any, claimed: Any, fitted: Any
) -> None:
    found = fit(value, None, claimed)
    assert type(found) is type(fitted)
    assert same(found, fitted)


@pytest.mark.parametrize(
    ("value", "claimed"),
    [(3.0, "int"), (True, "int"), (3, "bool"), (True, "float"), ("x", "float"), (3, "str")],
)
def test_without_the_events_type_a_value_that_contradicts_the_clients_is_rejected(
    value: Any, claimed: Any
) -> None:
    with pytest.raises(PayloadTypeMismatch) as refused:
        fit(value, None, claimed)
    assert refused.value.data == {"expectedType": claimed}


@given(st.text())
def test_only_canonical_digits_are_an_int(text: str) -> None:
    try:
        canonical = str(int(text)) == text and -(2**63) <= int(text) < 2**63
    except ValueError:
        canonical = False
    if canonical:
        assert fit(text, "int", None) == int(text)
    else:
        with pytest.raises(PayloadTypeMismatch):
            fit(text, "int", None)


@given(SCALARS)
def test_a_payload_is_the_same_only_as_itself(value: Any) -> None:
    assert same(value, value)
    assert not same(value, None)
    for other in (True, 1, 1.0, "1", math.nan):
        if type(other) is not type(value):
            assert not same(value, other)


def test_not_a_number_is_the_same_answer_again() -> None:
    assert same(math.nan, float("nan"))
    assert not same(math.nan, 0.0)
    assert same(0.0, -0.0)
    assert same(None, None)


@given(SCALARS)
def test_no_error_repeats_the_payload(value: Any) -> None:
    for declared in ("bool", "int", "float", "str"):
        with suppress(PayloadTypeMismatch):
            fit(value, declared, None)
            continue
        with pytest.raises(PayloadTypeMismatch) as refused:
            fit(value, declared, None)
        assert refused.value.data == {"expectedType": declared}
        if len(str(value)) > 12:
            assert str(value) not in refused.value.message
