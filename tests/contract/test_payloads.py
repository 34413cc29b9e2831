"""The payload table of the contract, through a backend and back."""

from __future__ import annotations

import asyncio
import itertools
import json as stdlib
import math
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, json

from flyte_sidecar.errors import AlreadySignalled, InvalidParams, PayloadTypeMismatch
from flyte_sidecar.events.payloads import same
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.server.decode_payload import OVERFLOW, decode_payload
from tests.contract.harness import BackendClient

BIG = 2**53 + 1

ACCEPTED: list[tuple[str, str, Any]] = [
    ("bool", "true", True),
    ("bool", "false", False),
    ("int", "0", 0),
    ("int", "-0", 0),
    ("int", str(2**63 - 1), 2**63 - 1),
    ("int", str(-(2**63)), -(2**63)),
    ("int", str(BIG), BIG),
    ("int", f'"{BIG}"', BIG),
    ("int", f'"{-(2**63)}"', -(2**63)),
    ("int", '"0"', 0),
    ("float", "3", 3.0),
    ("float", "3.0", 3.0),
    ("float", "-0.0", -0.0),
    ("float", "5e-324", 5e-324),
    ("float", "1.7976931348623157e308", 1.7976931348623157e308),
    ("float", str(2**53), 2.0**53),
    ("float", "1152921504606847000", 2.0**60),
    ("float", "-100000000000000000000", -1e20),
    ("float", str(BIG), 2.0**53),
    ("float", str(2**1023 + 1), 2.0**1023),
    ("float", "-0", -0.0),
    ("float", "1e-400", 0.0),
    ("float", "0e999999999999", 0.0),
    ("float", "1" + "0" * 400 + "e-400", 1.0),
    ("float", "0." + "0" * 400 + "1e401", 1.0),
    ("float", '"1.5"', 1.5),
    ("float", '"3"', 3.0),
    ("float", '"-0"', -0.0),
    ("float", '"1152921504606847000"', 2.0**60),
    ("float", '"1.152921504606847E+18"', 2.0**60),
    ("float", '"NaN"', math.nan),
    ("float", '"Infinity"', math.inf),
    ("float", '"-Infinity"', -math.inf),
    ("str", '""', ""),
    ("str", '"x"', "x"),
    ("str", r'"a\u0000b"', "a\0b"),
    ("str", r'"\ud83d\ude00"', "\U0001f600"),
    ("str", '"NaN"', "NaN"),
    ("str", '"5"', "5"),
]

REFUSED: list[tuple[str, str]] = [
    *(("bool", text) for text in ("0", "1", "1.0", '"true"', '""')),
    *(("int", text) for text in ("true", "1.0", "1.5", "1e3", str(2**63), str(-(2**63) - 1))),
    *(("int", f'"{text}"') for text in ("", "+1", "01", "-0", " 1", "1 ", "1.0", "0x1", "1_0")),
    *(("int", f'"{text}"') for text in (2**63, -(2**63) - 1, "١", "NaN")),
    *(("float", text) for text in ("true", "1e400", "-1e400", "1" * 400, "1" * 5000)),
    *(("float", text) for text in ("1.7976931348623159e308", "1e99999999999999999999")),
    *(("float", f'"{text}"') for text in ("nan", "inf", "+Infinity", "infinity", "", " 1", "1 ")),
    *(
        ("float", f'"{text}"')
        for text in ("+1", ".5", "5.", "01", "0x1p3", "1_0", "1e", "١", "1e400")
    ),
    *(("str", text) for text in ("true", "1", "1.5")),
]


places = itertools.count()


async def check_each(check: Callable[..., Awaitable[None]], cases: Iterable[Any]) -> None:
    """Check cases concurrently, each with an event of its own."""

    async def check_case(case: Any) -> None:
        try:
            await check(f"q{next(places)}", *case)
        except BaseException as error:
            error.add_note(f"in the case {str(case)[:200]}")
            raise

    await asyncio.gather(*map(check_case, cases))


async def test_an_accepted_payload_comes_back_as_it_was_sent(client: BackendClient) -> None:
    async def check(name: str, declared: str, text: str, value: Any) -> None:
        await client.make(name, declared)
        reported = await client.signal(name, decode_payload(Raw(text.encode())))
        kept = await client.get(name)
        assert kept == reported or value != value
        assert type(reported.payload) is type(value)
        assert kept is not None
        assert same(kept.payload, value)
        assert str(kept.payload) == str(value)  # the sign of a zero too
        assert (kept.phase, kept.pending, kept.expected_type) == ("SUCCEEDED", False, declared)

    await check_each(check, ACCEPTED)


async def test_a_payload_of_another_type_is_rejected_and_the_event_stays_pending(
    client: BackendClient,
) -> None:
    await check_each(partial(check_rejection, client), REFUSED)


async def check_rejection(client: BackendClient, name: str, declared: str, text: str) -> None:
    event = await client.make(name, declared)
    with pytest.raises(PayloadTypeMismatch) as refused:
        await client.signal(name, decode_payload(Raw(text.encode())))
    assert refused.value.data == {"expectedType": declared}
    assert await client.get(name) == event


@pytest.mark.parametrize("text", ["null", "{}", "[]", "[1]", '{"a": 1}', r'"\ud800"', "[[", ""])
def test_a_value_that_is_not_a_scalar_is_not_a_payload(text: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        decode_payload(Raw(text.encode()))
    assert refused.value.data == {"path": "/payload"}


@pytest.mark.parametrize("text", ["1e400", "-1e400", " 1e999", "1" * 5000])
def test_a_number_that_overflows_a_double_is_still_a_number(text: str) -> None:
    assert decode_payload(Raw(text.encode())) == OVERFLOW


async def test_payload_type_must_equal_the_declared_one(client: BackendClient) -> None:
    values: dict[str, Any] = {"bool": True, "int": 3, "float": 3.5, "str": "x"}

    async def check(name: str, claimed: str, declared: str) -> None:
        value = values[declared]
        await client.make(name, declared)
        if claimed == declared:
            assert (await client.signal(name, value, claimed)).payload == value
        else:
            with pytest.raises(PayloadTypeMismatch) as refused:
                await client.signal(name, value, claimed)
            assert refused.value.data["expectedType"] == declared

    await check_each(check, itertools.product(values, values))


WRITTEN: list[tuple[str, Any, str]] = [
    ("int", 2**53 - 1, str(2**53 - 1)),
    ("int", -(2**53) + 1, str(-(2**53) + 1)),
    ("int", 2**53, f'"{2**53}"'),
    ("int", -(2**53), f'"{-(2**53)}"'),
    ("float", 3, "3.0"),
    ("float", 1e300, "1e300"),
    ("float", -0.0, "-0.0"),
    ("float", math.nan, '"NaN"'),
    ("float", math.inf, '"Infinity"'),
    ("float", -math.inf, '"-Infinity"'),
    ("str", "a\0b", r'"a\u0000b"'),
]


async def test_results_carry_numbers_in_a_form_that_every_json_reader_keeps(
    client: BackendClient,
) -> None:
    async def check(name: str, declared: str, value: Any, wire: str) -> None:
        await client.make(name, declared)
        reported = await client.signal(name, value)
        (listed,) = [event for event in (await client.page()).events if event.name == name]
        for event in (reported, listed):
            assert f'"payload":{wire},'.encode() in encode(event)

    await check_each(check, WRITTEN)


async def test_a_string_of_3_mb_comes_back_whole(client: BackendClient) -> None:
    text = "a\0\U0001f600é" * 400_000
    await client.make("q", "str")
    await client.signal("q", text)
    kept = await client.get("q")
    assert kept is not None
    assert kept.payload == text
    assert (await client.signal("q", text)) == kept


async def test_every_unicode_character_comes_back(client: BackendClient) -> None:
    text = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    await client.make("q", "str")
    await client.signal("q", text)
    kept = await client.get("q")
    assert kept is not None
    assert kept.payload == text


async def test_an_unpaired_surrogate_is_rejected(client: BackendClient) -> None:
    await client.make("q", "str")
    with pytest.raises(PayloadTypeMismatch):
        await client.signal("q", "\ud800")


def javascript(value: float) -> str:
    """Return the number as `JSON.stringify`, Go's encoding/json and jq write it: 2^60 as digits."""
    if value == 0:
        return "0"
    return f"{Decimal(repr(value)).normalize():f}" if 1e-6 <= abs(value) < 1e21 else repr(value)


def in_quotes(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts.map(lambda text: f'"{text}"')


INT64S = st.integers(-(2**63), 2**63 - 1)
BEYOND = st.integers(min_value=2**63) | st.integers(max_value=-(2**63) - 1)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
INTEGRAL_DOUBLES = st.floats(2**53, 1e21, exclude_max=True).map(math.floor).map(float)
DECIMALS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
NUMBERS = st.one_of(
    DOUBLES.map(repr),
    DOUBLES.map(javascript),
    INTEGRAL_DOUBLES.map(javascript),
    st.integers(-(2**1023), 2**1023).map(str),
    DECIMALS,
)
TEXTS = st.text().flatmap(
    lambda text: st.sampled_from([json.encode(text).decode(), stdlib.dumps(text)])
)

Sent = tuple[str, str, Any]
"""A declared type, the JSON text that is sent, and the value that it stands for."""

MATCHING: st.SearchStrategy[Sent] = st.one_of(
    st.sampled_from([("bool", "true", True), ("bool", "false", False)]),
    (INT64S.map(str) | in_quotes(INT64S.map(str))).map(
        lambda text: ("int", text, int(text.strip('"')))
    ),
    (NUMBERS | in_quotes(NUMBERS)).map(lambda text: ("float", text, float(text.strip('"')))),
    st.sampled_from([("float", f'"{word}"', value) for word, value in WORDS.items()]),
    TEXTS.map(lambda text: ("str", text, json.decode(text))),
)
NO_NUMBERS = st.text().filter(lambda text: not text[-1:].isdigit() and text not in WORDS)
OTHERS: st.SearchStrategy[tuple[str, str]] = st.one_of(
    st.tuples(st.just("bool"), NUMBERS | TEXTS),
    st.tuples(
        st.just("int"),
        st.one_of(
            st.sampled_from(["true", "false"]),
            DOUBLES.map(repr),
            BEYOND.map(str),
            in_quotes(BEYOND.map(str)),
            in_quotes(DOUBLES.map(repr)),
            NO_NUMBERS.map(stdlib.dumps),
        ),
    ),
    st.tuples(
        st.just("float"),
        st.one_of(
            st.sampled_from(["true", "false"]),
            st.integers(min_value=2**1024).map(str),
            st.integers(309, 10**30).map(lambda exponent: f"-1e{exponent}"),
            NO_NUMBERS.map(stdlib.dumps),
        ),
    ),
    st.tuples(st.just("str"), NUMBERS | st.sampled_from(["true", "false"])),
)
EXAMPLES = settings(max_examples=30)


@given(st.lists(MATCHING, min_size=1, max_size=20))
@EXAMPLES
async def test_any_payload_of_its_type_survives_the_wire_both_ways(
    client: BackendClient, cases: list[Sent]
) -> None:
    async def check(name: str, declared: str, text: str, value: Any) -> None:
        await client.make(name, declared)
        reported = await client.signal(name, decode_payload(Raw(text.encode())))
        kept = await client.get(name)
        assert kept is not None
        for event in (reported, kept):
            assert type(event.payload) is type(value)
            assert repr(event.payload) == repr(value)  # the sign of a zero too
        written = json.decode(encode(kept), type=dict[str, Raw])["payload"]
        if declared == "int":
            assert json.decode(written) == (value if abs(value) < 2**53 else str(value))
        if declared == "float":
            assert set(bytes(written)) & set(b".e") or json.decode(written) in WORDS
        for again in (text.encode(), bytes(written)):
            assert repr(await client.signal(name, decode_payload(Raw(again)))) == repr(kept)

    await check_each(check, cases)


@given(st.lists(OTHERS, min_size=1, max_size=20))
@EXAMPLES
async def test_any_payload_of_another_type_is_rejected(
    client: BackendClient, cases: list[tuple[str, str]]
) -> None:
    await check_each(partial(check_rejection, client), cases)


EQUAL_DOUBLES = [
    ("1152921504606847000", '"1152921504606846976"'),
    ("1152921504606846976.0", "1152921504606847000"),
    ('"NaN"', '"NaN"'),
    ("0.0", "-0"),  # equal doubles, as in the Flyte backend
    ("-0", '"0"'),
    ("1e-400", "0"),
]


async def test_a_float_that_becomes_an_equal_double_is_the_same_answer(
    client: BackendClient,
) -> None:
    async def check(name: str, first: str, again: str) -> None:
        await client.make(name, "float")
        reported = await client.signal(name, decode_payload(Raw(first.encode())))
        same_again = await client.signal(name, decode_payload(Raw(again.encode())))
        assert repr(same_again) == repr(reported)
        with pytest.raises(AlreadySignalled):
            await client.signal(name, decode_payload(Raw(b"1152921504606847232")))

    await check_each(check, EQUAL_DOUBLES)
