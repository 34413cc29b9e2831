from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import PayloadTypeMismatch
from sidecar.events.payload import SAFE, fit, for_json, same, type_of

INT64S = st.integers(-(2**63), 2**63 - 1)
BEYOND = st.one_of(st.integers(min_value=2**63), st.integers(max_value=-(2**63) - 1))
SCALARS = st.one_of(st.booleans(), INT64S, st.floats(), st.text())


@given(SCALARS)
def test_a_payload_fits_its_own_type_and_comes_as_it_is(value: Any) -> None:
    kind = type_of(value)
    for declared, claimed in ((kind, None), (None, kind), (kind, kind), (None, None)):
        assert same(fit(value, declared, claimed), value)


@given(SCALARS)
def test_the_form_for_json_fits_back_into_the_same_payload(value: Any) -> None:
    form = for_json(value)
    assert form is not None
    assert same(fit(form, type_of(value), None), value)
    if type(form) is int:
        assert -SAFE <= form <= SAFE
    if type(form) is float:
        assert math.isfinite(form)


@given(INT64S)
def test_an_int_may_come_as_its_digits(value: int) -> None:
    assert fit(str(value), "int", None) == value


@given(BEYOND)
def test_no_int_beyond_64_bits_fits(value: int) -> None:
    for form in (value, str(value)):
        with pytest.raises(PayloadTypeMismatch):
            fit(form, "int", None)


@given(st.integers())
def test_an_integer_fits_a_float_only_where_a_double_holds_it(value: int) -> None:
    try:
        exact = int(float(value)) == value
    except OverflowError:
        exact = False
    if exact:
        fitted = fit(value, "float", None)
        assert (type(fitted), fitted) == (float, value)
    else:
        with pytest.raises(PayloadTypeMismatch):
            fit(value, "float", None)


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
def test_a_payload_is_the_same_as_itself_alone(value: Any) -> None:
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
def test_no_refusal_repeats_the_payload(value: Any) -> None:
    for declared in ("bool", "int", "float", "str"):
        with suppress(PayloadTypeMismatch):
            fit(value, declared, None)
            continue
        with pytest.raises(PayloadTypeMismatch) as refused:
            fit(value, declared, None)
        assert refused.value.data == {"expectedType": declared}
        if len(str(value)) > 12:
            assert str(value) not in refused.value.message
